//! Errors as Lambda reports them: the type is the error kind's name, for alarms to count.

use lambda_runtime::Diagnostic;

use crate::error::Error;

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Self {
        Self { error_type: error.kind().as_str().to_owned(), error_message: error.chain() }
    }
}
