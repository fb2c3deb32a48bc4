package temporalserver

import (
	"net/netip"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/primitives"

	"github.com/silquetech/silque-notifications/dev/temporalserver/port"
)

const (
	clusterName = "active"
	// clusterID is stored with the data; a fixed one, as two starts on the same files are the same cluster.
	clusterID       = "1d3b6c0e-6c5a-4a3c-9e55-3d6f2b7a4c10"
	disabled        = "disabled"
	mainStore       = "main"
	visibilityStore = "visibility"
)

// addresses is where each of the server's four services listens.
type addresses map[primitives.ServiceName]netip.AddrPort

// claimAddresses keeps all services but the frontend on loopback ports that nobody needs to know.
func claimAddresses(frontend string) (addresses, error) {
	claimed := addresses{}
	for service, addr := range map[primitives.ServiceName]string{
		primitives.FrontendService: frontend,
		primitives.HistoryService:  "127.0.0.1:0",
		primitives.MatchingService: "127.0.0.1:0",
		primitives.WorkerService:   "127.0.0.1:0",
	} {
		var err error
		if claimed[service], err = port.Claim(addr); err != nil {
			return nil, err
		}
	}
	return claimed, nil
}

// dialable is the address for clients on this machine: an unspecified IP (0.0.0.0) is for listening only.
func (a addresses) dialable(service primitives.ServiceName) string {
	addr := a[service]
	if !addr.Addr().IsUnspecified() {
		return addr.String()
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if addr.Addr().Is6() {
		loopback = netip.IPv6Loopback()
	}
	return netip.AddrPortFrom(loopback, addr.Port()).String()
}

// staticHosts replaces the gossip by which a cluster finds its members, and its ports.
func (a addresses) staticHosts() map[primitives.ServiceName]static.Hosts {
	hosts := make(map[primitives.ServiceName]static.Hosts, len(a))
	for service := range a {
		hosts[service] = static.SingleLocalHost(a.dialable(service))
	}
	return hosts
}

// serverConfig is one cluster of one host: no metrics, pprof or HTTP API port, no archival.
func serverConfig(listen addresses, data stores) *config.Config {
	frontend := listen.dialable(primitives.FrontendService)
	services := make(map[string]config.Service, len(listen))
	for service, addr := range listen {
		services[string(service)] = config.Service{
			RPC: config.RPC{GRPCPort: int(addr.Port()), BindOnIP: addr.Addr().String()},
		}
	}
	return &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     mainStore,
			VisibilityStore:  visibilityStore,
			NumHistoryShards: data.shards,
			DataStores: map[string]config.DataStore{
				mainStore:       {SQL: data.main},
				visibilityStore: {SQL: data.visibility},
			},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				RPCAddress:             frontend,
				ClusterID:              clusterID,
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            services,
		PublicClient:        config.PublicClient{HostPort: frontend},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: disabled},
			Visibility: config.VisibilityArchival{State: disabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: disabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: disabled},
		}},
	}
}

// unlimited stands for a rate limit that one machine does not reach. The defaults protect a
// shared cluster from its tenants; here they would only slow down the one user there is.
const unlimited = 100_000

// dynamicConfig is what differs from the server's defaults, and why.
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// No request leaves the machine.
		dynamicconfig.EnableServerVersionCheck.Key(): false,

		// Partitions spread a task queue over hosts; with one host they only add hops.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// The scanners are workflows that look for garbage of large clusters; they would
		// be most of what an idle development server does.
		dynamicconfig.HistoryScannerEnabled.Key():   false,
		dynamicconfig.TaskQueueScannerEnabled.Key(): false,

		// The default is sized for a server with gigabytes to spare.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8096,

		// A search attribute is usable when the namespace is next read, by default within 2 s.
		dynamicconfig.NamespaceCacheRefreshInterval.Key(): 250 * time.Millisecond,

		// The Web UI's lists alone reach the default of 10 a second.
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,

		dynamicconfig.FrontendRPS.Key():                        unlimited,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key(): unlimited,
		dynamicconfig.MatchingRPS.Key():                        unlimited,
		dynamicconfig.HistoryRPS.Key():                         unlimited,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():          unlimited,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():           unlimited,
	}
}
