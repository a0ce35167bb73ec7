"""Agreement and measurement error: between readers, between repeats, and in the small cohorts of a rare disease.

Every function takes plain numbers and gives a frozen value that holds its own interval and the level of it. Bad input
(too few subjects, a missing reading, readers who have not all read everybody) is refused with
`calcimeasure.errors.MeasurementRefused`; nothing is dropped silently and no NaN comes back.
"""

from __future__ import annotations

from calcimeasure.model.precision import PrecisionProfile
from calcimeasure.steps.agreement.bland_altman import BlandAltman, Concordance, bland_altman, concordance
from calcimeasure.steps.agreement.cohort import (
    Cohort,
    Member,
    Outcome,
    Typical,
    UsualCare,
    VisitWindow,
    cohort,
    usual_care,
)
from calcimeasure.steps.agreement.icc import ICC, IccForm, MeanSquares, icc, icc_table, mean_squares
from calcimeasure.steps.agreement.interval import ConfidenceInterval, multiplier
from calcimeasure.steps.agreement.precision import fit_precision_profile
from calcimeasure.steps.agreement.proportion import (
    Proportion,
    chance_of_any,
    chance_of_as_many,
    clopper_pearson,
    proportion,
    wilson,
)
from calcimeasure.steps.agreement.rank import (
    HodgesLehmann,
    SignedRank,
    SignTest,
    hodges_lehmann,
    sign_test,
    signed_rank,
)
from calcimeasure.steps.agreement.readers import (
    Outlines,
    Read,
    ReaderAgreement,
    ReaderPair,
    outlines_agree,
    readers_agree,
)
from calcimeasure.steps.agreement.repeatability import (
    ChangeError,
    ReaderError,
    Repeatability,
    change_error,
    df_inflation,
    log_limits,
    reader_error,
    repeatability,
    sdc_in_cohort_sd,
    smallest_detectable_change,
)

__all__ = [
    "ICC",
    "BlandAltman",
    "ChangeError",
    "Cohort",
    "Concordance",
    "ConfidenceInterval",
    "HodgesLehmann",
    "IccForm",
    "MeanSquares",
    "Member",
    "Outcome",
    "Outlines",
    "PrecisionProfile",
    "Proportion",
    "Read",
    "ReaderAgreement",
    "ReaderError",
    "ReaderPair",
    "Repeatability",
    "SignTest",
    "SignedRank",
    "Typical",
    "UsualCare",
    "VisitWindow",
    "bland_altman",
    "chance_of_any",
    "chance_of_as_many",
    "change_error",
    "clopper_pearson",
    "cohort",
    "concordance",
    "df_inflation",
    "fit_precision_profile",
    "hodges_lehmann",
    "icc",
    "icc_table",
    "log_limits",
    "mean_squares",
    "multiplier",
    "outlines_agree",
    "proportion",
    "reader_error",
    "readers_agree",
    "repeatability",
    "sdc_in_cohort_sd",
    "sign_test",
    "signed_rank",
    "smallest_detectable_change",
    "usual_care",
    "wilson",
]
