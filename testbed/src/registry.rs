//! A registry for pulling images: the read operations of the OCI distribution API.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Result;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::image::{Blob, Packed};

/// Images by name; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry(Arc<RwLock<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// The tags, by host/repository and then tag.
    tags: BTreeMap<(String, String), String>,
    blobs: BTreeMap<String, Arc<Blob>>,
}

impl Registry {
    /// Stores an image under a name in the spelling of pods; returns its digest.
    pub(crate) fn push(&self, name: &str, image: Packed) -> String {
        let digest = image.manifest.digest.clone();
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for blob in image.blobs.into_iter().chain([image.manifest]) {
            content.blobs.insert(blob.digest.clone(), Arc::new(blob));
        }
        content.tags.insert(parse(name), digest.clone());
        digest
    }

    /// Serves until the listener fails.
    pub(crate) async fn serve(self, listener: TcpListener) -> Result<()> {
        loop {
            let (stream, _) = listener.accept().await?;
            let registry = self.clone();
            // Errors of a client do not matter to the server.
            tokio::spawn(async move { registry.connection(stream).await });
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> Result<()> {
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        let request = lines.next_line().await?.unwrap_or_default();
        while lines
            .next_line()
            .await?
            .is_some_and(|line| !line.is_empty())
        {}
        let mut words = request.split(' ');
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let found = self.find(target);
        let (status, kind, digest, body) = match &found {
            Found::Blob(blob) => (
                "200 OK",
                blob.media_type,
                blob.digest.as_str(),
                blob.content.as_slice(),
            ),
            Found::Root => ("200 OK", "application/json", "", b"{}".as_slice()),
            Found::Nothing => (
                "404 Not Found",
                "application/json",
                "",
                br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such image"}]}"#.as_slice(),
            ),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {digest}\r\n\
             Docker-Distribution-Api-Version: registry/2.0\r\nConnection: close\r\n\r\n",
            body.len()
        );
        writer.write_all(head.as_bytes()).await?;
        if method != "HEAD" {
            writer.write_all(body).await?;
        }
        writer.shutdown().await?;
        Ok(())
    }

    /// Returns what a target such as `/v2/library/nginx/manifests/1?ns=docker.io` refers to.
    fn find(&self, target: &str) -> Found {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(path) = path.strip_prefix("/v2/") else {
            return Found::Nothing;
        };
        if path.is_empty() {
            return Found::Root;
        }
        let content = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let digest = if let Some((_, digest)) = path.rsplit_once("/blobs/") {
            Some(digest)
        } else if let Some((repository, reference)) = path.rsplit_once("/manifests/") {
            // containerd sends a mirror the name of the original registry.
            let host = query.split('&').find_map(|pair| pair.strip_prefix("ns="));
            let host = host.unwrap_or("docker.io").replace("%3A", ":");
            let tag = (format!("{host}/{repository}"), reference.to_owned());
            content
                .tags
                .get(&tag)
                .map(String::as_str)
                .or(Some(reference))
        } else {
            None
        };
        match digest.and_then(|digest| content.blobs.get(digest)) {
            Some(blob) => Found::Blob(Arc::clone(blob)),
            None => Found::Nothing,
        }
    }
}

enum Found {
    Root,
    Blob(Arc<Blob>),
    Nothing,
}

/// Returns host/repository and tag of an image's name, with defaults for omitted parts.
fn parse(name: &str) -> (String, String) {
    let (host, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => {
            (host, path.to_owned())
        }
        Some(_) => ("docker.io", name.to_owned()),
        None => ("docker.io", format!("library/{name}")),
    };
    let (repository, tag) = path.rsplit_once(':').unwrap_or((&path, "latest"));
    (format!("{host}/{repository}"), tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_runtimes_do() {
        let parsed = |name| {
            let (repository, tag) = parse(name);
            format!("{repository} {tag}")
        };
        assert_eq!(parsed("nginx"), "docker.io/library/nginx latest");
        assert_eq!(parsed("team/web:1"), "docker.io/team/web 1");
        assert_eq!(
            parsed("registry.test:5000/a/b"),
            "registry.test:5000/a/b latest"
        );
        assert_eq!(parsed("localhost/a:2"), "localhost/a 2");
    }
}
