"""All the pages about accounts as one router, and what their handlers may ask for."""

from __future__ import annotations

from litestar import Router
from litestar.di import Provide
from litestar.exceptions import HTTPException

from roar_glaas.errors import Refusal
from roar_glaas.pages import (
    account,
    account_device,
    account_keys,
    account_projects,
    account_sign_in,
)
from roar_glaas.pages.account_pages import (
    not_understood,
    refused,
    shown_again,
    signed_in,
    style,
)
from roar_glaas.pages.forms import MOST_BYTES, posted_form

account_page_routes = Router(
    path="/",
    route_handlers=[
        style,
        shown_again,
        *(account_sign_in.sign_in_page, account_sign_in.sign_in_now, account_sign_in.sign_out),
        *(account_sign_in.oidc_there, account_sign_in.oidc_back),
        *(account.account, account.create_token, account.revoke_token),
        *(account.sign_out_browser, account.sign_out_others, account.change_password),
        *(account_keys.add_own_key, account_keys.remove_own_key),
        *(account_device.device_page, account_device.answer_device),
        *(account_projects.projects, account_projects.project_page),
        *(account_projects.change_project_member, account_projects.organization_page),
        *(account_projects.change_organization_member, account_projects.my_sessions),
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
