//! `dmslake mcp`: the commands that look, as tools of the Model Context Protocol.
//!
//! The client starts this program and talks to it over standard input and output. Each call runs a
//! command of this program in a process of its own, so that what a tool tells is what the command
//! prints for agents.

mod call;
mod tools;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, InitializeResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt as _};

use tokio::sync::Semaphore;

use super::args::McpArguments;
use super::configuration;
use super::exit::Exit;
use super::output::Screen;
use crate::error::{Error, ErrorKind, Result};
use crate::version;
use call::{Answer, call};
use tools::Tools;

/// So many calls run at the same time; others wait.
const CALLS_AT_ONCE: usize = 4;

const INSTRUCTIONS: &str = "\
Delta tables that dmslake keeps equal to MySQL tables, from the change files that AWS DMS stages. \
Begin with `status`; `help` with a topic explains states, errors and formats. Tables go by their \
names at the source, such as shop.orders. These tools only read; what changes tables, an operator \
types.";

/// Serves the tools until the client ends the connection.
///
/// # Errors
/// `Config` for a configuration that cannot be used, or if the client does not speak the protocol;
/// `Unavailable` if standard input or output cannot be used.
pub(super) async fn run(arguments: &McpArguments, _screen: &Screen) -> Result<Exit> {
    // What is wrong is told here, and not by each call.
    configuration::read(&arguments.config)?;
    let server = Server {
        tools: Arc::new(Tools::of(&super::help::command())),
        config: arguments.config.clone(),
        program: std::env::current_exe().map_err(|error| stream_failed(error.into()))?,
        turns: Arc::new(Semaphore::new(CALLS_AT_ONCE)),
    };
    let (input, output) = streams().map_err(|error| stream_failed(error.into()))?;
    let serving = Box::pin(server.serve((input, output))).await.map_err(not_spoken)?;
    serving.waiting().await.map_err(|error| stream_failed(error.into()))?;
    Ok(Exit::Done)
}

fn not_spoken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Config, "the client does not speak the Model Context Protocol")
        .because(error)
        .with_remedy("let a client start this command; dmslake help mcp shows how")
}

fn stream_failed(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::Unavailable, "the connection to the client failed").because(error)
}

/// Standard input and output, without the locks and buffers of the standard library.
fn streams() -> io::Result<(tokio::fs::File, tokio::fs::File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok((
        tokio::fs::File::from_std(File::from(input)),
        tokio::fs::File::from_std(File::from(output)),
    ))
}

/// Answers the client.
#[derive(Clone)]
struct Server {
    tools: Arc<Tools>,
    config: PathBuf,
    /// This program.
    program: PathBuf,
    /// One for each call that may run at the same time.
    turns: Arc<Semaphore>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("dmslake", version::SHORT))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> std::result::Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.listed()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> std::result::Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let invocation = self.tools.invocation(&request.name, &arguments, &self.config);
        let invocation = invocation.map_err(|why| ErrorData::invalid_params(why, None))?;
        let calling = async {
            // The semaphore is never closed.
            let _turn = self.turns.acquire().await;
            call(&self.program, invocation).await
        };
        // A call that is dropped ends its process.
        let answered = tokio::select! {
            answered = calling => answered,
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the call was cancelled", None));
            }
        };
        let answer =
            answered.unwrap_or_else(|error| Answer { text: error.to_string(), is_error: true });
        let said = vec![ContentBlock::text(answer.text)];
        let result = if answer.is_error {
            CallToolResult::error(said)
        } else {
            CallToolResult::success(said)
        };
        Ok(result.into())
    }
}
