//! DataFusion as this crate uses it: plans over rows that are at hand.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

/// A context for plans that bring their tables and functions along. It knows no function or
/// file format by name: whoever registers all of them has the function's binary hold them all.
pub(crate) fn session(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let state = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).build();
    SessionContext::new_with_state(state)
}
