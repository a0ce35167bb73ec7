"""What a trial's report says, in words: the cohort's pages and one page per patient, made of values alone."""

from calcimeasure.report.trial.findings import TrialFindings
from calcimeasure.report.trial.patient import patient_page, picture_of, sentence
from calcimeasure.report.trial.whole import cohort_pages

__all__ = ["TrialFindings", "cohort_pages", "patient_page", "picture_of", "sentence"]
