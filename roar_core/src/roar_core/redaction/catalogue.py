"""The rules by their ids, and what each finds: for people, and for the page that lists them."""

from __future__ import annotations

RULES = {
    "aws_access_key": "ids of AWS keys: `AKIA…`, `ASIA…`",
    "aws_secret_key": "the secret key of AWS: by its name, or beside an id",
    "aws_presigned_url": "`X-Amz-Signature`, `X-Amz-Security-Token` and their like in URLs of S3",
    "gcp_api_key": "API keys of Google: `AIza…`",
    "gcp_oauth": "OAuth tokens and client secrets of Google: `ya29.…`, `GOCSPX-…`",
    "gcp_signed_url": "`X-Goog-Signature` and its like in URLs of Google Cloud Storage",
    "azure_account_key": "account keys of Azure: `AccountKey=…`, or 64 bytes in base64",
    "azure_sas": "`sig=…` of shared access signatures",
    "github_token": "tokens of GitHub: `ghp_…`, `gho_…`, `ghs_…`",
    "github_pat": "fine-grained tokens of GitHub: `github_pat_…`",
    "gitlab_token": "tokens of GitLab: `glpat-…`, `glrt-…` and others",
    "openai_key": "keys of OpenAI: `sk-…`, `sk-proj-…`, `sk-svcacct-…`",
    "anthropic_key": "keys of Anthropic: `sk-ant-…`",
    "huggingface_token": "tokens of Hugging Face: `hf_…`",
    "slack_token": "tokens of Slack: `xoxb-…`, `xapp-…`",
    "slack_webhook": "what follows `hooks.slack.com/services/`",
    "chat_webhook": "the same of Discord and of Teams",
    "service_token": "tokens of npm, PyPI, Stripe, SendGrid, Databricks, DigitalOcean, Vault, "
    "Groq, Replicate, NVIDIA, age, Docker, Tailscale, Telegram, Shopify, LangSmith and Linear",
    "jwt": "JSON web tokens, signed or encrypted",
    "private_key": "PEM blocks of private keys as a whole, on one line or one line each",
    "git_url_creds": "the password of `https`, `ssh`, `git` and `ftp` URLs, and of "
    "`user:password@host:`",
    "git_url_userinfo": "a user alone in `https://token@host`",
    "database_url": "the password of a URL of a database, broker or cache, of any driver",
    "url_creds": "the password of any other URL",
    "bearer_token": "`Authorization` headers; `Bearer …` and `Basic …` by themselves",
    "cookie": "`Cookie` headers, and values called cookie",
    "env_var_assignment": "values of variables in capitals: `…_TOKEN`, `…_KEY`, `…_PASSWORD`, "
    "`…_SECRET`, `…_PAT`, `…_PWD`",
    "json_named_secret": "the same names, in any case, in JSON, labels and `os.environ[…]`",
    "generic_password_arg": "`--password x`, `password=x`, `-u user:x`, `mysql -px`, "
    "`;pwd=x`, .netrc",
    "generic_token_arg": "`--hf-token x`, `?access_token=x`",
    "generic_api_key_arg": "`--api-key x`, `api_key='x'`",
    "generic_secret_arg": "`--client-secret x`",
    "entropy": "words that look drawn at random; only with `redaction.entropy`",
    "value": "a value of `redaction.values`, also inside longer texts and in URLs",
    "rule:NAME": "what the pattern NAME of `redaction.rules` finds",
}
