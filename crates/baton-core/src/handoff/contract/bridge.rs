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
        /// `smtp://host:port`.
        smtp: String,
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
}
