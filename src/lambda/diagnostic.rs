//! Errors as Lambda reports them. The error type is the name of the kind, which alarms can count.

use lambda_runtime::Diagnostic;

use crate::error::Error;

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind().as_str().to_owned(), error_message: error.chain() }
    }
}
