"""What DashScope's codes stand for: https://www.alibabacloud.com/help/en/model-studio/error-code

The compatible mode spells them in snake case (`data_inspection_failed`), the rest of the API in capitals
(`DataInspectionFailed`).
"""

from gateway.errors import ProviderFault
from gateway.providers.vendor_errors import VendorErrors

ERRORS = VendorErrors(
    faults=(
        (r"(.*\.)?datainspectionfailed", ProviderFault.CONTENT_POLICY),
        # An account in arrears comes as 400, a used-up free quota as 403.
        (r"arrearage|.*\.freetieronly|(pre|post)paidbilloverdue", ProviderFault.BALANCE),
        # `insufficient_quota` is the compatible mode's word for `Throttling.AllocationQuota`: tokens in a minute.
        (r"throttling(\..*)?|limitrequests|limitburstrate|insufficientquota", ProviderFault.RATE_LIMITED),
        (r"(.*\.)?accessdenied(\..*)?|invalidapikey|(.*\.)?modelnotfound", ProviderFault.AUTH),
        (r"(.*\.)?invalidparameter(\..*|error)?|invalidurl(\..*)?|invalidrequesterror", ProviderFault.BAD_REQUEST),
        (r"internalerror(\..*)?|modelunavailable|(.*\.)?serviceunavailable", ProviderFault.OVERLOADED),
    ),
    context_length=r"range of input length should be|maximum context length",
)
