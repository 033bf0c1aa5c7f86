//! Where the room is heard outside of Baton.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// A bridge to another channel. Secrets stand in it as references.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bridge {
    /// A Slack incoming webhook.
    Slack {
        /// The webhook's address, which is itself a secret.
        url: SecretRef,
    },
    /// Mail over SMTP.
    Email {
        /// Recipients.
        to: Vec<String>,
        /// `smtp://host:port`, or `smtps://` where TLS comes first; a user's
        /// name may stand before the host, as in `smtp://baton@host`.
        smtp: String,
        /// The sender, `baton@` and the host of `smtp` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The password, when the server wants one.
        password: Option<SecretRef>,
    },
    /// A webhook signed per Standard Webhooks.
    Webhook {
        /// The address.
        url: String,
        /// The signing secret.
        secret: SecretRef,
    },
    /// A Matrix room.
    Matrix {
        /// The home server.
        server: String,
        /// The room or its alias.
        room: String,
        /// The access token.
        token: SecretRef,
    },
    /// A receiver of CDEvents, sent as CloudEvents in structured JSON.
    Cdevents {
        /// The address.
        url: String,
        /// The bearer token, when the receiver wants one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<SecretRef>,
    },
}

impl Bridge {
    /// The key of its kind, as in the contract.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Slack { .. } => "slack",
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
            Self::Matrix { .. } => "matrix",
            Self::Cdevents { .. } => "cdevents",
        }
    }

    /// What it needs to be allowed to speak.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Slack { url } => Some(url),
            Self::Email { password, .. } => password.as_ref(),
            Self::Webhook { secret, .. } => Some(secret),
            Self::Matrix { token, .. } => Some(token),
            Self::Cdevents { token, .. } => token.as_ref(),
        }
    }

    /// The key and text of its address; none where the address is a secret.
    pub fn address(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Slack { .. } => None,
            Self::Email { smtp, .. } => Some(("smtp", smtp)),
            Self::Webhook { url, .. } | Self::Cdevents { url, .. } => Some(("url", url)),
            Self::Matrix { server, .. } => Some(("server", server)),
        }
    }
}
