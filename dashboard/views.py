"""What views for people who are signed in have in common."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.models import User

View = Callable[..., HttpResponseBase]
AsyncView = Callable[..., Awaitable[HttpResponseBase]]


class SignedIn(HttpRequest):
    """What `login_required` lets through."""

    user: User


def posted_from(page: str) -> Callable[[Any], Any]:
    """For a view that takes the forms of `page`, the name of another: a GET is led there.

    Such a GET comes from the login, to which somebody was sent whose session had ended when they pressed the button.
    """

    def decorate(view: Any) -> Any:
        return _led_async(view, page) if iscoroutinefunction(view) else _led(view, page)

    return decorate


def _led(view: View, page: str) -> View:
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if request.method == "POST" else redirect(page)

    return wrapped


def _led_async(view: AsyncView, page: str) -> AsyncView:
    @wraps(view)
    async def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return await view(request, *args, **kwargs) if request.method == "POST" else redirect(page)

    return wrapped
