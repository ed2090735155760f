//! Buckets of S3, and of servers that speak its protocol, through the standard AWS chain.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};
use url::Url;

use crate::error::{NoCredentials, Result};
use crate::storage::{Location, StoreKind, unusable};

/// Opens `s3://bucket/prefix`.
///
/// # Errors
/// `Config` if the URI names no place on S3.
pub(super) async fn open(uri: &str, patience: Patience) -> Result<Location> {
    let url = s3_url(uri).ok_or_else(|| unusable(uri))?;
    let bucket = url.host_str().unwrap_or_default();
    let chain = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_client_options(patience.client)
        .with_retry(patience.retries);
    if let Some(region) = chain.region() {
        builder = builder.with_region(region.as_ref());
    }
    if let Some(endpoint) = chain.endpoint_url() {
        // A custom endpoint rarely resolves bucket host names. In tests it is plain HTTP.
        builder = builder
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(false)
            .with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(provider) = chain.credentials_provider() {
        builder = builder.with_credentials(Arc::new(AwsChain { provider }));
    }
    let store = builder.build().map_err(|error| unusable(uri).because(error))?;
    Location::with_store(&url, StoreKind::S3, Arc::new(store))
}

/// How long a store may take to answer a request, and how often it is asked again.
#[derive(Debug, Default)]
pub(super) struct Patience {
    client: ClientOptions,
    retries: RetryConfig,
}

impl Patience {
    /// For seconds only. The default is minutes.
    pub(super) fn short() -> Self {
        let (init_backoff, max_backoff) = (Duration::from_millis(100), Duration::from_secs(1));
        let retries = RetryConfig {
            backoff: BackoffConfig { init_backoff, max_backoff, base: 2. },
            max_retries: 3,
            retry_timeout: Duration::from_secs(5),
        };
        Self { client: ClientOptions::new().with_timeout(Duration::from_secs(10)), retries }
    }
}

/// Whether a URI names a place on S3.
#[must_use]
pub fn is_on_s3(uri: &str) -> bool {
    behind_s3(uri).is_some()
}

pub(super) fn behind_s3(uri: &str) -> Option<&str> {
    ["s3://", "s3a://"].iter().find_map(|scheme| uri.strip_prefix(scheme))
}

/// The URL of `s3://bucket/prefix`, in which a prefix is encoded.
fn s3_url(uri: &str) -> Option<Url> {
    let (bucket, prefix) = behind_s3(uri).map(|rest| rest.split_once('/').unwrap_or((rest, "")))?;
    let mut url = Url::parse(&format!("s3://{bucket}/")).ok()?;
    let is_bucket = url.host_str() == Some(bucket) && url.path() == "/" && url.port().is_none();
    let mut segments: Vec<&str> = prefix.trim_end_matches('/').split('/').collect();
    if prefix.is_empty() {
        segments.clear();
    }
    // `Url` would silently drop such segments.
    if !is_bucket || segments.iter().any(|segment| ["", ".", ".."].contains(segment)) {
        return None;
    }
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(url)
}

/// Converts a failure of the credential chain: there are no credentials, or their provider did not
/// answer, which may pass. The chain's own messages print whole structures.
fn unprovided(error: CredentialsError) -> object_store::Error {
    match error {
        CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
            let source = Box::new(NoCredentials);
            object_store::Error::Unauthenticated { path: String::new(), source }
        }
        other => object_store::Error::Generic {
            store: "credentials of AWS",
            source: other.to_string().into(),
        },
    }
}

/// The AWS credential chain as a credential provider of `object_store`.
#[derive(Debug)]
struct AwsChain {
    provider: SharedCredentialsProvider,
}

#[async_trait]
impl CredentialProvider for AwsChain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // The chain caches and refreshes credentials itself.
        let found = self.provider.provide_credentials().await.map_err(unprovided)?;
        Ok(Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        }))
    }
}
