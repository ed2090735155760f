//! DataFusion as this crate uses it: plans over rows in memory.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

/// A context for plans that bring their own tables and functions. It registers no functions or file
/// formats by name, because registering all of them would add all of them to the Lambda function's
/// binary.
pub(crate) fn session(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).build();
    SessionContext::new_with_state(state)
}
