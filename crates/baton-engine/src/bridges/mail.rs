//! Mail over SMTP, with TLS before a password is said to anybody but this machine.

use std::net::IpAddr;
use std::time::SystemTime;

use baton_core::bridge::Notice;
use baton_core::bridge::shape::mail;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport as _};

use super::channel::{REQUEST, Refused};

/// A mail server, and who speaks to it.
pub(super) struct Server<'a> {
    host: String,
    port: u16,
    user: String,
    password: &'a str,
    from: Address,
    /// Whether TLS comes before the first word.
    wrapped: bool,
}

impl<'a> Server<'a> {
    /// The server of `smtp://[USER@]HOST[:PORT]` or `smtps://…`; no password, no login.
    pub(super) fn new(
        address: &str,
        from: Option<&str>,
        password: &'a str,
    ) -> Result<Self, Refused> {
        let wrong = || Refused::now("its address is no smtp or smtps address");
        let (scheme, rest) = address.split_once("://").ok_or_else(wrong)?;
        let wrapped = match scheme {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(wrong()),
        };
        let authority = rest.split('/').next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let usual = if wrapped { 465 } else { 587 };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (place, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A bare address is no domain that a sender may bear everywhere.
        let bare = host.parse::<IpAddr>().is_ok();
        let domain = if bare { "localhost" } else { host };
        let from = from.map_or_else(|| format!("baton@{domain}"), ToOwned::to_owned);
        let from: Address = from
            .parse()
            .map_err(|_| Refused::now("its sender is no mail address"))?;
        Ok(Self {
            host: host.to_owned(),
            port,
            user: user.map_or_else(|| from.to_string(), ToOwned::to_owned),
            password,
            from,
            wrapped,
        })
    }

    /// Sends one mail to all recipients at once. If the server refuses it for good, as it
    /// does for one recipient whom it does not know, each is sent the same mail alone: who
    /// is refused keeps it from nobody else.
    pub(super) fn send(
        &self,
        to: &[String],
        notice: &Notice,
        room: Option<&str>,
    ) -> Result<(), Refused> {
        let mut transport = SmtpTransport::builder_dangerous(&self.host)
            .port(self.port)
            .timeout(Some(REQUEST))
            .tls(self.tls()?);
        if !self.password.is_empty() {
            let (user, password) = (self.user.clone(), self.password.to_owned());
            transport = transport.credentials(Credentials::new(user, password));
        }
        let transport = transport.build();
        let send = |to: &[String]| {
            let sent = transport.send(&self.message(to, notice, room)?);
            sent.map(drop).map_err(|error| refused(&error))
        };
        match send(to) {
            Err(refused) if refused.for_good && to.len() > 1 => {
                let mut took = false;
                for one in to {
                    match send(std::slice::from_ref(one)) {
                        Ok(()) => took = true,
                        Err(refused) if refused.for_good => {}
                        Err(later) if !took => return Err(later),
                        // Who had it would have it twice.
                        Err(_) => {}
                    }
                }
                if took { Ok(()) } else { Err(refused) }
            }
            sent => sent,
        }
    }

    fn message(
        &self,
        to: &[String],
        notice: &Notice,
        room: Option<&str>,
    ) -> Result<Message, Refused> {
        let mail = mail(notice, room, self.from.domain());
        let mut message = Message::builder()
            .from(Mailbox::new(Some("Baton".to_owned()), self.from.clone()))
            .message_id(Some(mail.message_id))
            .references(mail.thread)
            .subject(mail.subject)
            .date(SystemTime::from(notice.at))
            .header(ContentType::TEXT_PLAIN);
        for person in to {
            let address: Address = person
                .parse()
                .map_err(|_| Refused::now("a recipient is no mail address"))?;
            message = message.to(Mailbox::new(None, address));
        }
        let mut message = message
            .body(mail.text)
            .map_err(|_| Refused::now("the mail cannot be written"))?;
        // Nobody is to be answered by a machine about this (RFC 3834).
        if let Ok(name) = HeaderName::new_from_ascii("Auto-Submitted".to_owned()) {
            let value = HeaderValue::new(name, "auto-generated".to_owned());
            message.headers_mut().insert_raw(value);
        }
        Ok(message)
    }

    /// A password is said in the clear to this machine alone.
    fn tls(&self) -> Result<Tls, Refused> {
        let here =
            self.host == "localhost" || self.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let known = TlsParameters::new(self.host.clone())
            .map_err(|_| Refused::now("its host has no name that a certificate can bear"))?;
        Ok(match (self.wrapped, self.password.is_empty() || here) {
            (true, _) => Tls::Wrapper(known),
            (false, true) => Tls::Opportunistic(known),
            (false, false) => Tls::Required(known),
        })
    }
}

/// Why the mail was not taken: the code of the answer and none of its words.
fn refused(error: &lettre::transport::smtp::Error) -> Refused {
    if let Some(code) = error.status() {
        let text = code.to_string();
        return Refused {
            because: format!("the mail server answers with {text}"),
            // A recipient or text that is not taken; a login may work another time.
            for_good: ["550", "551", "552", "553", "554"].contains(&text.as_str()),
            pause: None,
        };
    }
    Refused::now(if error.is_timeout() {
        "no answer from the mail server in time"
    } else if error.is_tls() {
        "the certificate or TLS of the mail server is not accepted"
    } else if error.is_client() {
        "the mail server offers no TLS, or no login that Baton knows"
    } else if error.is_response() {
        "it does not answer as a mail server does"
    } else {
        "no connection to the mail server"
    })
}
