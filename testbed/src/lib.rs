//! Local Kubernetes for the tests of ecs-operator: a control plane with simulated nodes, which requires no permissions,
//! and a real node, which requires root.
//!
//! Everything runs as plain processes and in temporary folders; nothing is left when the process that started it ends
//! in any way. `README.md` shows how to use it in a test.

mod arguments;
mod binaries;
mod certificates;
mod cluster;
mod control_plane;
mod image;
mod image_registry;
mod kubeconfig;
mod manifests;
mod moto;
mod namespace;
mod node;
mod node_files;
mod process;
mod processes;
mod proxy;
mod registry;
mod requirements;
mod sandbox;
mod shared_storage;
mod start;
mod wait;

pub use binaries::{GIVEN, find, unbuilt};
pub use cluster::Cluster;
pub use control_plane::{ControlPlane, Options};
pub use image::Image;
pub use image_registry::ImageRegistry;
pub use kubeconfig::client;
pub use moto::{Moto, moto_python};
pub use namespace::Namespace;
pub use node::{Node, NodeOptions};
pub use process::Process;
pub use proxy::{Asked, Faults, Proxy, Refusal, Verdict, Watching};
pub use requirements::{Missing, missing};
pub use shared_storage::{NFS_SERVER, Silence};
pub use wait::until;
