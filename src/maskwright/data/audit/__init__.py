"""Audit of a data set before training: files, masks, copies, class balance, a contact sheet.

A new check is a function from audited samples to findings, called in `audit.py`; what it measures
of a sample is read in `audit_scan.py`, once.
"""

from maskwright.data.audit.audit import AuditReport, audit
from maskwright.data.audit.audit_scan import Finding
from maskwright.data.audit.calibration_cases import check_calibration_cases
from maskwright.data.audit.checks import ClassCount
from maskwright.data.audit.contact_sheet import contact_sheet

__all__ = [
    "AuditReport",
    "ClassCount",
    "Finding",
    "audit",
    "check_calibration_cases",
    "contact_sheet",
]
