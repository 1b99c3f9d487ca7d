"""The page behind a mail's link that turns off mails of its kind, without signing in.

Mail programs send a POST there by themselves when their own button is pressed (RFC 8058); whoever follows the link is
asked first, since programs that look at links in mails follow them, too.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from gateway.notices.preferences import preferences_of_one, read_off_token, turn_off
from gateway.notices.words import ABOUT


# The link itself is the right to do it, which no other site has.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def turn_off_notices(request: HttpRequest, token: str) -> HttpResponse:
    found = read_off_token(token)
    if found is None:
        raise Http404("no link of ours")
    user_id, kind = found
    if request.method == "POST":
        turn_off(user_id, kind)
    context = {"mail": ABOUT[kind].mail, "is_on": preferences_of_one(user_id).wants(kind)}
    return render(request, "dashboard/notices_off.html", context)
