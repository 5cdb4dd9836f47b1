//! Local Kubernetes for the tests of ecs-operator: a control plane with simulated nodes that needs no rights.
//!
//! Everything runs as plain processes on loopback ports and in temporary folders; nothing is left when the
//! process that started it ends, however it ends. `README.md` shows how a test uses it.

pub mod binaries;
pub mod control_plane;

mod arguments;
mod certificates;
mod kubeconfig;
mod manifests;
mod namespace;
mod process;
mod start;
mod wait;

pub use binaries::find;
pub use control_plane::{ControlPlane, Options};
pub use namespace::Namespace;
pub use process::Process;
pub use wait::until;
