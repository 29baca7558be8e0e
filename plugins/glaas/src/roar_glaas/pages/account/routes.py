"""All the pages about accounts as one router, and what their handlers may ask for."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide
from litestar.exceptions import HTTPException

from roar_glaas.errors import Refusal
from roar_glaas.pages.account import device, keys, own, projects, sign_in
from roar_glaas.pages.account.answers import (
    not_understood,
    refused,
    shown_again,
    signed_in,
    style,
)
from roar_glaas.pages.account.forms import MOST_BYTES, posted_form

account_page_routes = Router(
    path="/",
    route_handlers=[
        style,
        shown_again,
        *(sign_in.sign_in_page, sign_in.sign_in_now, sign_in.sign_out),
        *(sign_in.oidc_there, sign_in.oidc_back),
        *(own.account, own.create_token, own.revoke_token),
        *(own.sign_out_browser, own.sign_out_others, own.change_password),
        *(keys.add_own_key, keys.remove_own_key),
        *(device.device_page, device.answer_device),
        *(projects.projects, projects.project_page),
        *(projects.change_project_member, projects.organization_page),
        *(projects.change_organization_member, projects.my_sessions),
    ],
    dependencies={
        "me": Provide(signed_in),
        # Every POST asks for it, and with it for the proof that it comes from one of our pages.
        "form": Provide(posted_form),
    },
    exception_handlers={Refusal: refused, HTTPException: not_understood},
    request_max_body_size=MOST_BYTES,
    include_in_schema=False,
)
