"""What the realm looks like, as data: policies, roles, people's attributes and what goes into a token.

No call is made here.
"""

from __future__ import annotations

from typing import Any

from chassis.words import REALM_ROLES

_TASKS = {
    "system_administrator": "维护单位、人员、应用，不能查看业务内容和审计记录",
    "security_administrator": "管理权限与密级，不能改动审计记录",
    "auditor": "只读查看审计记录",
}
ROLES = {name: f"{REALM_ROLES[name]}：{task}" for name, task in _TASKS.items()}
SCOPE = "tongban"
# Keycloak does not keep these events by itself; portal/directory/watching.py needs them.
MORE_EVENTS = ("REFRESH_TOKEN_ERROR",)

_ADMIN_ONLY = {"view": ["admin"], "edit": ["admin"]}
_SEEN_BY_OWNER = {"view": ["admin", "user"], "edit": ["admin"]}


def realm(name: str) -> dict[str, Any]:
    """The realm's own settings."""
    return {
        "realm": name,
        "enabled": True,
        "displayName": "同办",
        "displayNameHtml": "同办 统一身份认证",
        "internationalizationEnabled": True,
        "supportedLocales": ["zh-CN", "en"],
        "defaultLocale": "zh-CN",
        "sslRequired": "external",
        "registrationAllowed": False,
        "resetPasswordAllowed": False,
        "rememberMe": False,
        "loginWithEmailAllowed": False,
        "duplicateEmailsAllowed": True,
        "editUsernameAllowed": False,
        # Locked for 30 minutes after five wrong passwords. # check 16, 82
        "bruteForceProtected": True,
        "permanentLockout": False,
        "bruteForceStrategy": "LINEAR",
        "failureFactor": 5,
        "waitIncrementSeconds": 1800,
        "maxFailureWaitSeconds": 1800,
        "maxDeltaTimeSeconds": 43200,
        "minimumQuickLoginWaitSeconds": 5,
        "quickLoginCheckMilliSeconds": 200,
        # Renewed after five minutes (gateway/sessions.py), by an open page within another: so whoever works when Keycloak goes away
        # works on for ten minutes and more. # check 64
        "accessTokenLifespan": 1020,
        "ssoSessionIdleTimeout": 1800,
        "ssoSessionMaxLifespan": 36000,
        "accessCodeLifespan": 60,
        "accessCodeLifespanLogin": 1800,
        # A refresh token works once; the second use of one ends its session. # check 10
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "passwordPolicy": (
            "length(10) and digits(1) and lowerCase(1) and upperCase(1) and specialChars(1) and "
            "notUsername(undefined) and passwordHistory(5) and forceExpiredPasswordChange(90)"
        ),
        "eventsEnabled": True,
        "eventsExpiration": 184 * 86400,
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": False,
    }


def user_profile() -> dict[str, Any]:
    """The attributes of a person. Keycloak drops every attribute that is not declared here.

    A person's full name is one field (`firstName`): Chinese names are not written in two. Nobody edits own
    posts, clearance or title. `posts` holds a JSON list in one value, because Keycloak keeps no order among
    several values of an attribute and the first post is the primary one.
    """
    return {
        "attributes": [
            {
                "name": "username",
                "displayName": "${username}",
                "permissions": _SEEN_BY_OWNER,
                "validations": {
                    "length": {"min": 2, "max": 64},
                    "username-prohibited-characters": {},
                    "up-username-not-idn-homograph": {},
                },
            },
            {
                "name": "firstName",
                "displayName": "姓名",
                "permissions": _SEEN_BY_OWNER,
                "validations": {"length": {"max": 64}, "person-name-prohibited-characters": {}},
            },
            {
                "name": "email",
                "displayName": "${email}",
                "permissions": {"view": ["admin", "user"], "edit": ["admin", "user"]},
                "validations": {"email": {}, "length": {"max": 255}},
            },
            _attribute("posts", "岗位", _SEEN_BY_OWNER, {"length": {"max": 4000}}),
            _attribute("clearance", "涉密等级", _SEEN_BY_OWNER, {"integer": {"min": "0", "max": "3"}}),
            _attribute("title", "职务", _SEEN_BY_OWNER, {"length": {"max": 64}}),
            _attribute("order", "排序", _ADMIN_ONLY, {"integer": {"min": "0", "max": "999999"}}),
        ],
        "groups": [],
    }


def token_scope() -> dict[str, Any]:
    """The client scope that turns an access token into one of ours."""
    return {
        "name": SCOPE,
        "description": "同办：受众、岗位、涉密等级、角色、所属单位",
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "false", "display.on.consent.screen": "false"},
        "protocolMappers": [
            # The audience stands in access tokens only: an ID token must not open a service. # check 4
            _mapper(
                "audience",
                "oidc-audience-mapper",
                {"included.custom.audience": "tongban", "id.token.claim": "false"},
            ),
            _claim("posts", "posts", "JSON"),
            _claim("clearance", "clearance", "int"),
            _claim("title", "title", "String"),
            _claim("name", "firstName", "String"),
            _mapper(
                "roles",
                "oidc-usermodel-realm-role-mapper",
                {
                    "claim.name": "roles",
                    "jsonType.label": "String",
                    "multivalued": "true",
                    "id.token.claim": "false",
                },
            ),
            _mapper(
                "units",
                "oidc-group-membership-mapper",
                {
                    "claim.name": "units",
                    "full.path": "false",
                    "multivalued": "true",
                    "id.token.claim": "false",
                },
            ),
        ],
    }


def _attribute(
    name: str, label: str, permissions: dict[str, Any], validations: dict[str, Any]
) -> dict[str, Any]:
    return {"name": name, "displayName": label, "permissions": permissions, "validations": validations}


def _mapper(name: str, kind: str, config: dict[str, str]) -> dict[str, Any]:
    common = {
        "access.token.claim": "true",
        "introspection.token.claim": "true",
        "userinfo.token.claim": "false",
    }
    return {
        "name": name,
        "protocol": "openid-connect",
        "protocolMapper": kind,
        "consentRequired": False,
        "config": common | config,
    }


def _claim(claim: str, attribute: str, kind: str) -> dict[str, Any]:
    return _mapper(
        claim,
        "oidc-usermodel-attribute-mapper",
        {
            "claim.name": claim,
            "user.attribute": attribute,
            "jsonType.label": kind,
            "multivalued": "false",
            "id.token.claim": "true" if claim == "name" else "false",
        },
    )
