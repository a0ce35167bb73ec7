"""What of a header may be repeated: words that DICOM defines. All others are compared, never shown.

A header field can hold anything, a name too, whatever its title says. So only terms of the standard (and usual
abbreviations of them) go on as they are; of any other text, and of manufacturer, model and processing always, a digest
goes on that tells two films apart. Its key is random and never written down, so nobody finds the text by trying.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Terms by keyword (DICOM PS3.3 C.7.3.1.1.1, C.7.6.3.1.2, C.8.7.1, C.8.11; PS3.16 annex L for parts of the body).
TERMS = {
    "Modality": _words("CR DX DR RG XA RF MG IO PX OT SC XC GM ES SM OP CT MR PT NM US BMD HC VL DOC SR SEG PR KO REG")
    | _words("RTIMAGE RTDOSE RTPLAN RTSTRUCT ECG AU TG BI"),
    "PhotometricInterpretation": _words(
        "MONOCHROME1 MONOCHROME2 RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_422 YBR_PARTIAL_420 YBR_ICT YBR_RCT "
        "HSV ARGB CMYK"
    )
    | {"PALETTE COLOR"},
    "PresentationLUTShape": _words("IDENTITY INVERSE") | {"LIN OD"},
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PixelIntensityRelationship": _words("LIN LOG DISP"),
    "RescaleType": _words("US OD HU HU_MOD MGML Z_EFF ED EDW PCT Q") | {"OD REL"},
    "VOILUTFunction": _words("LINEAR LINEAR_EXACT SIGMOID"),
    "PixelSpacingCalibrationType": _words("GEOMETRY FIDUCIAL"),
    "ImageLaterality": _words("L R B U"),
    "FrameLaterality": _words("L R B U"),
    "Laterality": _words("L R B U"),
    "ViewPosition": _words(
        "AP PA LL RL LLD RLD LLO RLO RAO LAO RPO LPO LAT LATERAL ML LM MLO LMO CC OBL OBLIQUE AX AXIAL TAN TANGENTIAL "
        "DP PD DORSOPALMAR DORSOPLANTAR PALMAR PLANTAR VOLAR ANTERIOR POSTERIOR MEDIAL SKYLINE SUNRISE MORTISE "
        "LEFT RIGHT STANDING SUPINE PRONE FRONTAL"
    ),
    "BodyPartExamined": _words(
        "HAND HANDS WRIST FINGER FINGERS THUMB CARPUS METACARPUS PALM FOREARM RADIUS ULNA ELBOW HUMERUS ARM "
        "UPPERARM SHOULDER CLAVICLE SCAPULA AXILLA UP_EXM EXTREMITY CHEST THORAX RIB RIBS STERNUM LUNG HEART BREAST "
        "ABDOMEN PELVIS HIP BUTTOCK SACRUM COCCYX SIJOINT "
        "THIGH FEMUR KNEE PATELLA LEG LOWERLEG LEGS TIBIA FIBULA CALF ANKLE FOOT FEET "
        "HEEL CALCANEUS TOE TOES METATARSUS LOW_EXM HEAD SKULL FACE ORBIT NOSE JAW MANDIBLE MAXILLA TEETH NECK SPINE "
        "CSPINE TSPINE LSPINE SSPINE CTSPINE TLSPINE LSSPINE WHOLEBODY TRUNK JOINT BONE SKIN"
    )
    | {"LOWER LEG", "UPPER ARM", "UPPER EXTREMITY", "LOWER EXTREMITY", "WHOLE BODY"},
}
