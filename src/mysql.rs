//! A connection to the MySQL source, for commands that ask it.

use mysql_async::{Conn, Opts, OptsBuilder};

use crate::error::{Error, ErrorKind, Result};

/// The variable from which MySQL's own clients take a password.
const PASSWORD_VARIABLE: &str = "MYSQL_PWD";

/// A source that can be connected to, and how messages name it.
#[derive(Clone, Debug)]
pub(crate) struct MySqlSource {
    options: Opts,
    host: String,
}

impl MySqlSource {
    /// Reads a URL of the form `mysql://user:password@host:3306/schema`. A password that it lacks
    /// is taken from the environment, as MySQL's own clients do.
    ///
    /// # Errors
    /// `Config` if the URL cannot be used. It is not repeated, as it may contain a password.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let unusable = |error: mysql_async::UrlError| {
            Error::new(
                ErrorKind::Config,
                "--mysql is not a URL of the form mysql://user:password@host:3306/schema",
            )
            .because(error)
        };
        let options = Opts::from_url(url).map_err(unusable)?;
        let password = match options.pass() {
            Some(password) => Some(password.to_owned()),
            None => std::env::var(PASSWORD_VARIABLE).ok(),
        };
        // Otherwise a socket offered by the server would replace the TLS connection asked for.
        let prefers_socket = options.ssl_opts().is_none();
        let host = format!("{}:{}", options.ip_or_hostname(), options.tcp_port());
        let options = OptsBuilder::from_opts(options).pass(password).prefer_socket(prefers_socket);
        Ok(Self { options: options.into(), host })
    }

    /// The schema that the URL names, if it names one.
    pub(crate) fn schema(&self) -> Option<&str> {
        self.options.db_name()
    }

    /// Connects to it.
    ///
    /// # Errors
    /// `Unavailable` if it refuses or does not answer.
    pub(crate) async fn connect(&self) -> Result<Conn> {
        // Both of rustls's cryptography providers are linked, so there is no default. If another
        // part of the program has chosen one already, that is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Conn::new(self.options.clone()).await.map_err(|error| self.unavailable(error))
    }

    /// What follows if it refuses a query or does not answer.
    pub(crate) fn unavailable(&self, error: mysql_async::Error) -> Error {
        Error::new(ErrorKind::Unavailable, "the MySQL source could not be queried")
            .with("--mysql", &self.host)
            .because(error)
    }
}
