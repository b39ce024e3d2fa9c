//! Objects of the API that every cluster needs, for server-side apply.

use minijinja::context;
use minijinja::value::Value;

use super::render::render;
use super::{Context, Error, calico, digest, dns, endpoint};
use crate::versions::groups;
use crate::versions::supported;

/// The objects, in the order in which they are applied.
pub fn objects(context: &Context<'_>) -> Result<Vec<serde_json::Value>, Error> {
    let mut objects = basic(context)?;
    objects.extend(calico::objects(context)?);
    objects.extend(dns::objects(context)?);
    Ok(objects)
}

/// Those that a cluster needs whatever its network is: the rights of its parts, and kube-proxy.
pub(super) fn basic(context: &Context<'_>) -> Result<Vec<serde_json::Value>, Error> {
    let version = context.version();
    supported::check(version)?;
    let admins = (groups::admin(version) != groups::MASTERS).then_some(groups::CLUSTER_ADMINS);
    let mut objects = manifest("rbac.yaml.j2", context! { admins => admins.unwrap_or_default() })?;
    let kubeconfig =
        render("kube-proxy-kubeconfig.yaml.j2", context! { server => endpoint::url_in_pods(context.cluster) })?;
    objects.extend(manifest(
        "kube-proxy.yaml.j2",
        context! {
            image => context.reference("kube-proxy")?,
            annotation => digest::ANNOTATION,
            digest => digest::of([("kubeconfig.conf", kubeconfig.as_str())]),
            kubeconfig => kubeconfig.as_str(),
        },
    )?);
    Ok(objects)
}

/// The objects of a template.
pub(super) fn manifest(template: &'static str, values: Value) -> Result<Vec<serde_json::Value>, Error> {
    let text = render(template, values)?;
    serde_yaml::from_multiple(&text).map_err(|error| Error::Manifest { template, message: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::KubeVersion;
    use crate::desired::fixture::Fixture;
    use crate::versions::apis;

    fn names(objects: &[serde_json::Value]) -> Vec<String> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        objects
            .iter()
            .map(|object| format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"])))
            .collect()
    }

    #[test]
    fn administrators_are_bound_from_1_29_on() {
        let of = |minor| names(&objects(&Fixture::new(minor).context()).unwrap());
        let common = [
            "ClusterRoleBinding kubeadm:node-autoapprove-certificate-rotation",
            "ServiceAccount kube-proxy",
            "ClusterRoleBinding kubeadm:node-proxier",
            "ConfigMap kube-proxy",
            "DaemonSet kube-proxy",
        ];
        assert_eq!(of(28), common);
        assert_eq!(of(29)[0], "ClusterRoleBinding kubeadm:cluster-admins");
        assert_eq!(of(29)[1..], common);
    }

    #[test]
    fn every_object_is_of_an_api_that_is_served() {
        for minor in supported::FIRST..=supported::LAST {
            for object in objects(&Fixture::new(minor).context()).unwrap() {
                let (api, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
                assert!(apis::is_served(api, kind, KubeVersion::new(1, minor, 0)), "1.{minor}: {api} {kind}");
            }
        }
    }

    #[test]
    fn every_object_says_who_made_it() {
        for object in objects(&Fixture::new(36).context()).unwrap() {
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "kubewright", "{object}");
        }
    }

    #[test]
    fn a_changed_kubeconfig_rolls_the_daemons() {
        let mut fixture = Fixture::new(36);
        let digest = |fixture: &Fixture| {
            let objects = objects(&fixture.context()).unwrap();
            let pod = &objects.last().unwrap()["spec"]["template"]["metadata"];
            pod["annotations"][digest::ANNOTATION].as_str().unwrap().to_owned()
        };
        let before = digest(&fixture);
        assert_eq!(digest(&fixture), before);
        fixture.change(|parts| parts.endpoint.port = 7443);
        assert_ne!(digest(&fixture), before);
    }
}
