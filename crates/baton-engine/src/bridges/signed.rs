//! Signatures of webhooks: Standard Webhooks 1.0.0, symmetric
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 of
/// `ID.TIMESTAMP.BODY` under the secret's bytes.
///
/// # Errors
/// When the secret is not base64 behind its `whsec_`.
pub(super) fn signature(
    secret: &str,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> Result<String, String> {
    let wrong = || "its secret is not `whsec_` and base64".to_owned();
    let key = secret.strip_prefix(PREFIX).ok_or_else(wrong)?;
    let key = STANDARD.decode(key).map_err(|_| wrong())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| wrong())?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    Ok(format!(
        "v1,{}",
        STANDARD.encode(mac.finalize().into_bytes())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_example_of_the_specification_is_signed() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = br#"{"test": 2432232314}"#;
        let made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(
            made.unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_hunter2!"] {
            let why = signature(wrong, "msg", 0, b"").unwrap_err();
            assert!(why.contains("whsec_") && !why.contains("hunter2"), "{why}");
        }
    }
}
