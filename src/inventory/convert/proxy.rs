//! kube-proxy.

use std::time::Duration;

use crate::cluster::{Ipvs, IpvsTimeouts, Proxy, ProxyMode};
use crate::inventory::problems::Fault;
use crate::inventory::spec::{SpecIpvsTimeouts, SpecProxy, SpecProxyMode};
use crate::inventory::tree::Path;
use crate::inventory::units;

use super::{Context, words};

/// IPVS counts in ticks, of which there may be a thousand in a second, in 31 bits.
const MOST: Duration = Duration::from_secs(i32::MAX as u64 / 1000);

/// Converts the section `network.proxy`.
pub(super) fn convert(spec: Option<&SpecProxy>, path: &Path, context: &mut Context<'_>) -> Proxy {
    let defaults = SpecProxy::default();
    let spec = spec.unwrap_or(&defaults);
    let mode = match spec.mode.unwrap_or(SpecProxyMode::Ipvs) {
        SpecProxyMode::Ipvs => ProxyMode::Ipvs(Ipvs {
            scheduler: spec.scheduler.unwrap_or_default(),
            timeouts: timeouts(spec.timeouts.as_ref(), &path.key("timeouts"), context),
            exclude: words::networks(
                spec.exclude_cidrs.as_deref().unwrap_or_default(),
                &path.key("excludeCidrs"),
                context,
            ),
        }),
        other => {
            let given = [
                ("scheduler", spec.scheduler.is_some()),
                ("timeouts", spec.timeouts.is_some()),
                ("excludeCidrs", spec.exclude_cidrs.is_some()),
            ];
            for (key, _) in given.into_iter().filter(|(_, given)| *given) {
                let fault = Fault::new(format!("`{key}` has no use without IPVS"), "remove it, or write `mode: ipvs`");
                context.key_fault(&path.key(key), fault);
            }
            if other == SpecProxyMode::Nftables { ProxyMode::Nftables } else { ProxyMode::Iptables }
        }
    };
    let node_port_addresses = words::networks(
        spec.node_port_addresses.as_deref().unwrap_or_default(),
        &path.key("nodePortAddresses"),
        context,
    );
    Proxy { mode, node_port_addresses }
}

fn timeouts(spec: Option<&SpecIpvsTimeouts>, path: &Path, context: &mut Context<'_>) -> IpvsTimeouts {
    let Some(spec) = spec else { return IpvsTimeouts::default() };
    let mut timeout = |key: &str, text: Option<&String>| context.take(&path.key(key), seconds(text?));
    IpvsTimeouts {
        tcp: timeout("tcp", spec.tcp.as_ref()),
        tcp_fin: timeout("tcpFin", spec.tcp_fin.as_ref()),
        udp: timeout("udp", spec.udp.as_ref()),
    }
}

/// The kernel counts whole seconds, and takes none for "leave it".
fn seconds(text: &str) -> Result<Duration, Fault> {
    let duration = units::duration(text)?;
    if duration.is_zero() || duration.subsec_nanos() > 0 {
        return Err(Fault::new(format!("{text:?} is not a number of whole seconds"), "write such as 15m or 90s"));
    }
    if duration > MOST {
        let hint = format!("write at most {}s; 15m is usual", MOST.as_secs());
        return Err(Fault::new(format!("{text:?} is more than the kernel counts"), hint));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_can_count_timeouts() {
        for good in ["1s", "15m", "24d", "2147483s"] {
            assert!(seconds(good).is_ok(), "{good}");
        }
        for bad in ["0s", "500ms", "2147484s", "25d", "99999999999h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
