package deploy_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// TestComposeMistakesAreSeen makes one mistake after the other in the parsed
// file, so that no line of check is there for show.
func TestComposeMistakesAreSeen(t *testing.T) {
	t.Parallel()

	text := func(s string) *string { return &s }
	at := func(name string, change func(*types.ServiceConfig)) func(*types.Project) {
		return func(p *types.Project) {
			service := p.Services[name]
			change(&service)
			p.Services[name] = service
		}
	}
	environment := func(service, name string, value *string) func(*types.Project) {
		return at(service, func(s *types.ServiceConfig) { s.Environment[name] = value })
	}
	mistakes := map[string]func(*types.Project){
		"the services are":                       func(p *types.Project) { delete(p.Services, "lgtm") },
		"there are 1 APIs and not two":           func(p *types.Project) { delete(p.Services, "api-2") },
		"there are not two workers":              at("worker", func(s *types.ServiceConfig) { s.SetScale(1) }),
		"the project has the name of":            func(p *types.Project) { p.Name = "checkout" },
		"container_name":                         at("api-1", func(s *types.ServiceConfig) { s.ContainerName = "api" }),
		"temporal: its log grows":                at("temporal", func(s *types.ServiceConfig) { s.Logging = nil }),
		"proxy: its log grows":                   at("proxy", func(s *types.ServiceConfig) { delete(s.Logging.Options, "max-size") }),
		"postgres: may gain privileges":          at("postgres", func(s *types.ServiceConfig) { s.SecurityOpt = nil }),
		"worker: has privileges":                 at("worker", func(s *types.ServiceConfig) { s.CapAdd = []string{"NET_ADMIN"} }),
		"temporal: the image auto-setup":         at("temporal", func(s *types.ServiceConfig) { s.Image = "temporalio/auto-setup:1.29.7" }),
		"api-1: runs":                            at("api-1", func(s *types.ServiceConfig) { s.Image = "rewardflow:latest" }),
		"setup: is not built":                    at("setup", func(s *types.ServiceConfig) { s.Build = nil }),
		"postgres:alpine is not pinned":          at("postgres", func(s *types.ServiceConfig) { s.Image = "postgres:alpine" }),
		"haproxy:3-alpine is not pinned":         at("proxy", func(s *types.ServiceConfig) { s.Image = "haproxy:3-alpine" }),
		"temporalio/ui:2.54 is not pinned":       at("temporal-ui", func(s *types.ServiceConfig) { s.Image = "temporalio/ui:2.54" }),
		"proxy: port 8080 is open":               at("proxy", func(s *types.ServiceConfig) { s.Ports[0].HostIP = "" }),
		"temporal: port 7233 is open":            at("temporal", func(s *types.ServiceConfig) { s.Ports[0].HostIP = "0.0.0.0" }),
		"worker: has the host's network":         at("worker", func(s *types.ServiceConfig) { s.NetworkMode = "host" }),
		"postgres: is reachable":                 at("postgres", func(s *types.ServiceConfig) { s.Ports = []types.ServicePortConfig{{HostIP: "127.0.0.1"}} }),
		"api-1: can be reached past":             at("api-1", func(s *types.ServiceConfig) { s.Ports = []types.ServicePortConfig{{HostIP: "127.0.0.1"}} }),
		"migrate: a job that ends":               at("migrate", func(s *types.ServiceConfig) { s.Restart = "unless-stopped" }),
		"temporal: does not come back":           at("temporal", func(s *types.ServiceConfig) { s.Restart = "" }),
		"proxy: nobody knows":                    at("proxy", func(s *types.ServiceConfig) { s.HealthCheck = nil }),
		"worker: nobody knows":                   at("worker", func(s *types.ServiceConfig) { s.HealthCheck.Disable = true }),
		"api-2: its health check":                at("api-2", func(s *types.ServiceConfig) { s.HealthCheck.StartPeriod = nil }),
		"the secret POSTGRES_PASSWORD stands":    environment("postgres", "POSTGRES_PASSWORD", text("hunter2")),
		"the secret POSTGRES_PWD stands":         environment("temporal", "POSTGRES_PWD", text("hunter2")),
		"the secret REWARDFLOW_DATABASE stands":  environment("worker", "REWARDFLOW_DATABASE", text("postgres://x:y@z/")),
		"worker: REWARDFLOW_DATABASE_FILE names": environment("worker", "REWARDFLOW_DATABASE_FILE", text("/etc/database_url")),
		"the secret key_ring is nowhere": at("worker", func(s *types.ServiceConfig) {
			s.Secrets = append(s.Secrets, types.ServiceSecretConfig{Source: "key_ring"})
		}),
		"the secret webhook_secret is not the file": func(p *types.Project) {
			p.Secrets["webhook_secret"] = types.SecretConfig{Environment: "WEBHOOK_SECRET"}
		},
		"postgres: the volume at /var/lib/postgresql/data has no name": at("postgres", func(s *types.ServiceConfig) { s.Volumes[0].Source = "" }),
		"postgres: keeps nothing":                                      at("postgres", func(s *types.ServiceConfig) { s.Volumes[0].Target = "/var/lib/postgresql" }),
		"api-2: keeps nothing":                                         at("api-2", func(s *types.ServiceConfig) { s.Volumes = s.Volumes[:1] }),
		"proxy: may write to":                                          at("proxy", func(s *types.ServiceConfig) { s.Volumes[0].ReadOnly = false }),
		"proxy: may command the engine":                                at("proxy", func(s *types.ServiceConfig) { s.Volumes[0].Source = "/var/run/docker.sock" }),
		"temporal: " + mustAbs("missing") + " does not exist":          at("temporal", func(s *types.ServiceConfig) { s.Volumes[0].Source = mustAbs("missing") }),
		"api-1: may write into its image":                              at("api-1", func(s *types.ServiceConfig) { s.ReadOnly = false }),
		"codec-server: keeps capabilities":                             at("codec-server", func(s *types.ServiceConfig) { s.CapDrop = nil }),
		"worker: does not run under the image's account":               at("worker", func(s *types.ServiceConfig) { s.User = "root" }),
		"worker: REWARDFLOW_DATABASE_FILE is not":                      environment("worker", "REWARDFLOW_DATABASE_FILE", nil),
		"api-1: TEMPORAL_NAMESPACE is not":                             environment("api-1", "TEMPORAL_NAMESPACE", text("default")),
		"worker: its metrics are not":                                  environment("worker", "REWARDFLOW_METRICS_LISTEN", nil),
		"worker: is killed": at("worker", func(s *types.ServiceConfig) {
			short := types.Duration(10 * time.Second)
			s.StopGracePeriod = &short
		}),
		"api-1: the health check is not": at("api-1", func(s *types.ServiceConfig) { s.HealthCheck.Test = types.HealthCheckTest{"CMD", "true"} }),
		"worker: the health check is not": at("worker", func(s *types.ServiceConfig) {
			s.HealthCheck.Test = types.HealthCheckTest{"CMD", "/rewardflow", "healthcheck"}
		}),
		"NUM_HISTORY_SHARDS is not 512":                        environment("temporal", "NUM_HISTORY_SHARDS", text("4")),
		"the schema is another version's":                      at("temporal-schema", func(s *types.ServiceConfig) { s.Image = "temporalio/admin-tools:1.31.2" }),
		"made by another version than":                         at("temporal-namespace", func(s *types.ServiceConfig) { s.Image = "temporalio/admin-tools:1.31.2" }),
		"postgres: has fewer connections":                      at("postgres", func(s *types.ServiceConfig) { s.Command = nil }),
		"the namespace's retention":                            environment("temporal-namespace", "RETENTION", nil),
		"TEMPORAL_CORS_ORIGINS is not":                         environment("temporal-ui", "TEMPORAL_CORS_ORIGINS", text("http://localhost:3000")),
		"TEMPORAL_CODEC_ENDPOINT is not":                       environment("temporal-ui", "TEMPORAL_CODEC_ENDPOINT", nil),
		"codec-server: answers another origin":                 environment("codec-server", "REWARDFLOW_ENCRYPTION_CODEC_SERVER_UI_ORIGIN", text("http://localhost:8233")),
		"codec-server: reaches the databases":                  at("codec-server", func(s *types.ServiceConfig) { s.Networks["data"] = nil }),
		"worker: REWARDFLOW_ENCRYPTION_KEYS_0_KEY_FILE is not": environment("worker", "REWARDFLOW_ENCRYPTION_KEYS_0_KEY_FILE", nil),
		"migrate: does not wait until postgres":                at("migrate", func(s *types.ServiceConfig) { delete(s.DependsOn, "postgres") }),
		"temporal: does not wait until temporal-schema":        at("temporal", func(s *types.ServiceConfig) { delete(s.DependsOn, "temporal-schema") }),
		"setup: does not wait until temporal-namespace":        at("setup", func(s *types.ServiceConfig) { delete(s.DependsOn, "temporal-namespace") }),
		"temporal-namespace: does not wait until temporal": at("temporal-namespace", func(s *types.ServiceConfig) {
			s.DependsOn["temporal"] = types.ServiceDependency{Condition: "service_started"}
		}),
		"api-1: does not take events while Temporal is": at("api-1", func(s *types.ServiceConfig) {
			s.DependsOn["temporal"] = types.ServiceDependency{Condition: "service_healthy"}
		}),
		"setup: nobody waits for its end":              at("worker", func(s *types.ServiceConfig) { delete(s.DependsOn, "setup") }),
		"the databases' network has a way out":         func(p *types.Project) { p.Networks["data"] = types.NetworkConfig{} },
		"postgres: is on the network of the proxy":     at("postgres", func(s *types.ServiceConfig) { s.Networks["edge"] = nil }),
		"proxy: reaches the databases":                 at("proxy", func(s *types.ServiceConfig) { s.Networks["data"] = nil }),
		"temporal-ui: reaches the databases":           at("temporal-ui", func(s *types.ServiceConfig) { s.Networks["data"] = nil }),
		"lgtm: reaches the databases":                  at("lgtm", func(s *types.ServiceConfig) { s.Networks["data"] = nil }),
		"lgtm: is in the wrong profile":                at("lgtm", func(s *types.ServiceConfig) { s.Profiles = nil }),
		"worker: is in the wrong profile":              at("worker", func(s *types.ServiceConfig) { s.Profiles = []string{"observability"} }),
		"lgtm: does not see deploy/grafana/dashboards": at("lgtm", func(s *types.ServiceConfig) { s.Volumes = s.Volumes[:1] }),
	}
	for want, mistake := range mistakes {
		t.Run(want, func(t *testing.T) {
			t.Parallel()

			project := loadCompose(t)
			mistake(project)
			found := check(project)
			require.True(t, slices.ContainsFunc(found, func(line string) bool { return strings.Contains(line, want) }), "%q", found)
		})
	}
}
