"""What ModelArk's codes stand for: https://docs.byteplus.com/en/docs/ModelArk/1299023

They say more than their status: an overload comes as 429, an empty account as 403, and a batch of pictures as 200
with an error for each one that failed.
"""

from gateway.errors import ProviderFault
from gateway.providers.vendor_errors import VendorErrors

ERRORS = VendorErrors(
    faults=(
        (r".*(sensitivecontentdetected|riskdetection)(\..*)?", ProviderFault.CONTENT_POLICY),
        (r"accountoverdueerror|setlimitexceeded", ProviderFault.BALANCE),
        (r"serveroverloaded|internalserviceerror", ProviderFault.OVERLOADED),
        (r".*ratelimitexceeded(\..*)?|quotaexceeded|inflightbatchsizeexceeded", ProviderFault.RATE_LIMITED),
        # `ClosedEndpoint` comes as 400, though the endpoint is the operator's.
        (
            r"authenticationerror|accessdenied(\..*)?|operationdenied(\..*)?|modelnotopen|invalidendpoint.*",
            ProviderFault.AUTH,
        ),
        (r"missingparameter(\..*)?|invalidparameter(\..*)?|invalidimageurl(\..*)?", ProviderFault.BAD_REQUEST),
    ),
    context_length=r"exceeds? (the )?max(imum)?\b.*\b(tokens?|length)|tokens?\b.*\bexceeds?\b.*\bmax",
)
