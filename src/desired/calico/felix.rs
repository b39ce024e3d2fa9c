//! Settings of Felix on every node, as an object. Felix itself sets `reportingInterval` and `logSeverityScreen` where
//! they are missing, at each start, so they are always there.

use serde_json::{Map, Value, json};

use super::{API, metadata};
use crate::cluster::{Calico, FelixLog, Version};
use crate::desired::Error;
use crate::versions::calico::extra;

pub(super) fn object(calico: &Calico, version: Version) -> Result<Value, Error> {
    let felix = &calico.felix;
    let mut spec = Map::new();
    let mut set = |field: &str, value: Value| drop(spec.insert(field.to_owned(), value));
    set("reportingInterval", json!("0s"));
    set("logSeverityScreen", json!(severity(felix.log)));
    set("prometheusMetricsEnabled", json!(felix.metrics_port.is_some()));
    if let Some(port) = felix.metrics_port {
        set("prometheusMetricsPort", json!(port));
    }
    // Felix' own default would cut pods off from the kubelet and everything else on their node.
    set("defaultEndpointToHostAction", json!("Accept"));
    // Otherwise every cluster tells its makers of its version and size, or tries to for ever.
    set("usageReportingEnabled", json!(false));
    let mut errors = Vec::new();
    for (field, value) in &felix.extra {
        match extra::check(field, value, version) {
            Ok(()) => set(field, json!(value)),
            Err(error) => errors.push(error.into()),
        }
    }
    Error::collect(errors)?;
    Ok(json!({ "apiVersion": API, "kind": "FelixConfiguration", "metadata": metadata("default"), "spec": spec }))
}

fn severity(log: FelixLog) -> &'static str {
    match log {
        FelixLog::Debug => "Debug",
        FelixLog::Info => "Info",
        FelixLog::Warning => "Warning",
        FelixLog::Error => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::FelixValue;

    fn of(extra: &[(&str, FelixValue)], version: &str) -> Result<Value, Error> {
        let mut calico = Calico::new("10.244.0.0/16".parse().unwrap());
        calico.felix.extra = extra.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect();
        calico.felix.metrics_port = Some(9091);
        Ok(object(&calico, version.parse().unwrap())?["spec"].take())
    }

    #[test]
    fn fields_of_the_inventory_join_ours() {
        let text = |text: &str| FelixValue::Text(text.to_owned());
        let extra = [
            ("defaultEndpointToHostAction", text("Return")),
            ("externalNodesList", FelixValue::Texts(vec!["10.9.0.0/16".to_owned()])),
            ("iptablesRefreshInterval", text("180s")),
            ("vxlanPort", FelixValue::Number(4790)),
            ("xdpEnabled", FelixValue::Switch(false)),
        ];
        assert_eq!(
            of(&extra, "3.28.1").unwrap(),
            json!({
                "reportingInterval": "0s",
                "logSeverityScreen": "Info",
                "prometheusMetricsEnabled": true,
                "prometheusMetricsPort": 9091,
                "defaultEndpointToHostAction": "Return",
                "externalNodesList": ["10.9.0.0/16"],
                "iptablesRefreshInterval": "180s",
                "vxlanPort": 4790,
                "usageReportingEnabled": false,
                "xdpEnabled": false,
            })
        );
    }

    #[test]
    fn all_that_is_wrong_with_them_is_told_at_once() {
        let extra = [
            ("floatingIPs", FelixValue::Switch(true)),
            ("ipForwarding", FelixValue::Text("Enabled".to_owned())),
            ("ipipMTU", FelixValue::Number(1400)),
            ("xdpEnable", FelixValue::Switch(false)),
        ];
        let message = of(&extra, "3.28.1").unwrap_err().to_string();
        let lines: Vec<&str> = message.lines().collect();
        let expected = [
            "the field floatingIPs of Calico v3.28.1 wants Enabled or Disabled",
            "Calico v3.28.1 does not have the field ipForwarding yet: it came with 3.29; remove it until then",
            "the field ipipMTU of Calico v3.28.1 is not for extra: set spec.network.calico.mtu",
            "FelixConfiguration of Calico v3.28.1 has no field xdpEnable; did you mean xdpEnabled?",
        ];
        assert_eq!(lines, expected.map(|line| format!("spec.network.calico.felix.extra: {line}")));
    }
}
