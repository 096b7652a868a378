"""A run as one self-contained page: files -> ``gather`` -> ``ReportData`` -> ``render`` -> HTML.

``gather`` is the only part that reads files, ``write_report`` the only one that writes one; the page asks no network for anything.
"""

from jaxgan.report.command import report_command, write_report
from jaxgan.report.gather import gather
from jaxgan.report.page import render
from jaxgan.report.types import ReportData

__all__ = ['ReportData', 'gather', 'render', 'report_command', 'write_report']
