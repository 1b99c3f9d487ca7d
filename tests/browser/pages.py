"""Every page that people see: a new one must be listed here, or its test fails."""

from typing import NamedTuple

from tests.arkroute.conftest import ROOT

DOCUMENTATION = sorted(file.stem for file in (ROOT / "docs" / "site").glob("*.md"))
# One of each type, an alias, one that is turned off, and one that is painted here.
MODELS = (
    "seedream-4.5",
    "kling-v2-master",
    "gpt-5.5",
    "codex-auto-review",
    "text-embedding-3-small",
    "openai-whisper-1",
    "nano-banana",
    "sandbox-image",
)


class Listed(NamedTuple):
    """`view` is the name in the URLs. Words in braces are paths that only the seed knows; `who` is signed in."""

    view: str
    path: str
    who: str = ""

    @property
    def title(self) -> str:
        return f"{self.path} {self.who}".strip()


PAGES = (
    Listed("index", "/"),
    Listed("index", "/", "full"),
    Listed("catalogue", "/models/"),
    Listed("catalogue", "/models/?q=nothing+fits+this"),
    *(Listed("model", f"/models/{model}/") for model in MODELS),
    *(Listed("documentation_page", f"/docs/{name}/") for name in DOCUMENTATION),
    Listed("api_reference", "/docs/api/"),
    Listed("explorer", "/explorer/"),
    Listed("explorer", "/explorer/", "full"),
    Listed("status", "/status/"),
    Listed("account_login", "/accounts/login/"),
    Listed("account_signup", "/accounts/signup/"),
    Listed("account_logout", "/accounts/logout/", "full"),
    Listed("account_inactive", "/accounts/inactive/"),
    Listed("account_reauthenticate", "/accounts/reauthenticate/", "full"),
    Listed("account_email", "/accounts/email/", "full"),
    Listed("account_email_verification_sent", "/accounts/confirm-email/"),
    Listed("account_confirm_email", "{confirm}"),
    Listed("account_confirm_email", "/accounts/confirm-email/nonsense/"),
    Listed("account_change_password", "/accounts/password/change/", "full"),
    Listed("account_reset_password", "/accounts/password/reset/"),
    Listed("account_reset_password_done", "/accounts/password/reset/done/"),
    Listed("account_reset_password_from_key", "{reset}"),
    Listed("account_reset_password_from_key", "/accounts/password/reset/key/0-nonsense/"),
    Listed("account_reset_password_from_key_done", "/accounts/password/reset/key/done/"),
    Listed("mfa_index", "/accounts/2fa/", "full"),
    Listed("mfa_index", "/accounts/2fa/", "guarded"),
    Listed("mfa_activate_totp", "/accounts/2fa/totp/activate/", "full"),
    Listed("mfa_deactivate_totp", "/accounts/2fa/totp/deactivate/", "guarded"),
    Listed("mfa_view_recovery_codes", "/accounts/2fa/recovery-codes/", "guarded"),
    Listed("mfa_generate_recovery_codes", "/accounts/2fa/recovery-codes/generate/", "guarded"),
    Listed("mfa_reauthenticate", "/accounts/2fa/reauthenticate/", "guarded"),
    Listed("mfa_list_webauthn", "/accounts/2fa/webauthn/", "full"),
    Listed("mfa_add_webauthn", "/accounts/2fa/webauthn/add/", "full"),
    Listed("usersessions_list", "/accounts/sessions/", "full"),
    Listed("dashboard", "/dashboard/", "empty"),
    Listed("dashboard", "/dashboard/", "full"),
    Listed("keys", "/keys/", "empty"),
    Listed("keys", "/keys/", "full"),
    Listed("create_key", "/keys/new/", "full"),
    Listed("edit_key", "{key}edit/", "full"),
    Listed("roll_key", "{key}roll/", "full"),
    Listed("revoke_key", "{key}revoke/", "full"),
    Listed("usage", "/usage/", "empty"),
    Listed("usage", "/usage/", "full"),
    Listed("usage", "/usage/?range=custom&from=2020-02-01&to=2020-01-01", "full"),
    Listed("requests", "/usage/requests/", "empty"),
    Listed("requests", "/usage/requests/", "full"),
    Listed("requests", "/usage/requests/?id=req_0", "full"),
    Listed("receipt", "{receipt}", "full"),
    Listed("receipt", "{failure}", "full"),
    Listed("gallery", "/gallery/", "empty"),
    Listed("gallery", "/gallery/", "full"),
    Listed("settings", "/settings/", "full"),
    Listed("settings", "/settings/", "guarded"),
    Listed("delete_account", "/settings/delete/", "full"),
    Listed("turn_off_notices", "{notices_off}"),
    Listed("billing", "/billing/", "full"),
    Listed("billing", "/billing/", "empty"),
    Listed("ledger", "/billing/ledger/", "full"),
    Listed("ledger", "/billing/ledger/?kind=dispute", "full"),
    Listed("purchase", "{purchase}", "full"),
    Listed("test_checkout", "{checkout}", "full"),
)

# Pages that a way through other pages leads to: `test_second_factors`.
REACHED = {
    "mfa_authenticate",
    "mfa_edit_webauthn",
    "mfa_remove_webauthn",
    "mfa_reauthenticate_webauthn",
}
# What answers with a redirect, a file, JSON or text.
NO_PAGES = {
    "media",
    "video-callback",
    "dismiss_checklist",
    "export_data",
    "change_profile",
    "change_notifications",
    "keep_inputs",
    "usage_csv",
    "requests_csv",
    "delete_piece",
    "begin_checkout",
    "billing_portal",
    "save_top_up",
    "redeem_code",
    "ledger_csv",
    "invitation",
    "stripe_webhook",
    "describe_call",
    "documentation",
    "documentation_markdown",
    "llms",
    "llms_full",
    "changelog_feed",
    "search",
    "mfa_download_recovery_codes",
    "mfa_login_webauthn",
    # Codes by mail are turned off, and everybody has a password from the sign-up on.
    "account_confirm_login_code",
    "account_set_password",
}
# The API's own, and the staff's.
OTHER_NAMESPACES = {"api", "admin"}
