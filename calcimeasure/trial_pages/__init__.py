"""What a trial's report says, in words: the cohort's pages and one page per patient, made of values alone."""

from calcimeasure.trial_pages.findings import Findings
from calcimeasure.trial_pages.patient import patient_page, picture_of, sentence
from calcimeasure.trial_pages.whole import cohort_pages

__all__ = ["Findings", "cohort_pages", "patient_page", "picture_of", "sentence"]
