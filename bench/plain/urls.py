from django.urls import path

from bench.plain.views import ChatCompletions

urlpatterns = [path("v1/chat/completions", ChatCompletions.as_view())]
