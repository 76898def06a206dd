package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"go.uber.org/fx"
)

const (
	pluginName     = sqlite.PluginName
	clusterName    = "active"
	mainStore      = "main"
	visibilityName = "visibility"
	disabled       = "disabled"

	// listsPerSecond is how often the lists of workflows follow what happens, and
	// listBatch how much they take in at once.
	listsPerSecond = 2
	listBatch      = 500
)

// server is one Temporal server. It cannot be started again.
type server struct {
	temporal *temporal.ServerFx
	fatal    *fatal
}

// newServer builds a server. The server picks up OpenTelemetry exporters from
// the environment by itself, and refuses to start on those that it does not
// know; the variables are meant for rewardflow's own traces, so it gets none.
func (f *fatal) newServer(ctx context.Context, opts []temporal.ServerOption) (*server, error) {
	s := &server{fatal: f}
	module := fx.Options(temporal.TopLevelModule, fx.Replace([]sdktrace.SpanExporter{}))
	f.building.Store(true)
	defer f.building.Store(false)
	err := f.guard(ctx, func() (err error) {
		s.temporal, err = temporal.NewServerFx(module, opts...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("building the server: %w", err)
	}
	return s, nil
}

func (s *server) start(ctx context.Context) error {
	if err := s.fatal.guard(ctx, s.temporal.Start); err != nil {
		return fmt.Errorf("starting its services: %w", err)
	}
	return nil
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := s.fatal.guard(ctx, s.temporal.Stop)
	if err != nil && errors.Is(s.fatal.err(), err) {
		return nil // It was told already.
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("the embedded Temporal server did not stop within %s", stopTimeout)
	}
	return err
}

func serverOptions(p ports, st *storage, faults []StoreFault, scavengers bool, logger log.Logger, m metrics.Handler) []temporal.ServerOption {
	return []temporal.ServerOption{
		temporal.WithConfig(serverConfig(p, st, faults)),
		temporal.ForServices(temporal.DefaultServices),
		// Fixed hosts spare the gossip between services and its listeners.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: static.SingleLocalHost(hostPort(p.frontend)),
			primitives.HistoryService:  static.SingleLocalHost(hostPort(p.history)),
			primitives.MatchingService: static.SingleLocalHost(hostPort(p.matching)),
			primitives.WorkerService:   static.SingleLocalHost(hostPort(p.worker)),
		}),
		temporal.WithLogger(logger),
		temporal.WithCustomMetricsHandler(m),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(dynamicConfig(st, scavengers)),
	}
}

// dynamicConfig fits the server's defaults, which are for clusters, to one
// machine and one application.
func dynamicConfig(st *storage, scavengers bool) dynamicconfig.StaticClient {
	values := dynamicconfig.StaticClient{
		// Nothing calls out.
		dynamicconfig.EnableServerVersionCheck.Key(): false,

		// The first workflow task comes with the answer to the start.
		dynamicconfig.EnableEagerWorkflowStart.Key(): true,

		// One worker process needs no more than one partition of a task queue.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// The disk is the limit here, not a quota between tenants.
		dynamicconfig.FrontendRPS.Key():                                  10_000,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():           10_000,
		dynamicconfig.MatchingRPS.Key():                                  10_000,
		dynamicconfig.HistoryRPS.Key():                                   10_000,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,

		// 128,000 cached workflows would be gigabytes.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8096,

		// The defaults are 512 goroutines each; behind a few connections more than
		// these only wait. There is no other cluster to replicate to.
		dynamicconfig.TransferProcessorSchedulerWorkerCount.Key():               64,
		dynamicconfig.TimerProcessorSchedulerWorkerCount.Key():                  64,
		dynamicconfig.VisibilityProcessorSchedulerWorkerCount.Key():             64,
		dynamicconfig.ReplicationProcessorSchedulerWorkerCount.Key():            1,
		dynamicconfig.ReplicationLowPriorityProcessorSchedulerWorkerCount.Key(): 1,

		// Its pollers are for workflows with thousands of children.
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,

		dynamicconfig.TaskQueueScannerEnabled.Key(): scavengers,
		dynamicconfig.HistoryScannerEnabled.Key():   scavengers,
	}
	if st.oneWriter {
		// All writes share one connection. A burst queues there, and a timeout
		// would make the server load its shard again, which makes it worse.
		values[dynamicconfig.ShardIOTimeout.Key()] = 20 * time.Second
		// Lists of workflows follow in batches, twice a second: a workflow that has
		// ended by then is written to them once and not twice (decision 0028).
		values[dynamicconfig.VisibilityProcessorMaxPollRPS.Key()] = listsPerSecond
		values[dynamicconfig.VisibilityTaskBatchSize.Key()] = listBatch
	}
	return values
}

func serverConfig(p ports, st *storage, faults []StoreFault) *config.Config {
	cfg := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     mainStore,
			VisibilityStore:  visibilityName,
			NumHistoryShards: st.shards,
			DataStores:       map[string]config.DataStore{mainStore: {SQL: st.main, FaultInjection: injection(faults)}, visibilityName: {SQL: st.visibility}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {
					Enabled:                true,
					InitialFailoverVersion: 1,
					RPCAddress:             hostPort(p.frontend),
					ClusterID:              st.clusterID,
				},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		// The frontend gets no HTTP port. Its HTTP API has no authentication,
		// and any web page that the operator visits could send to it.
		Services: map[string]config.Service{
			string(primitives.FrontendService): service(p.frontend),
			string(primitives.HistoryService):  service(p.history),
			string(primitives.MatchingService): service(p.matching),
			string(primitives.WorkerService):   service(p.worker),
		},
		PublicClient: config.PublicClient{HostPort: hostPort(p.frontend)},
	}
	cfg.Global.Membership = config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: host}
	cfg.Archival.History.State = disabled
	cfg.Archival.Visibility.State = disabled
	cfg.NamespaceDefaults.Archival.History.State = disabled
	cfg.NamespaceDefaults.Archival.Visibility.State = disabled
	return cfg
}

func service(port int) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: host}}
}
