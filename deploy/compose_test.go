package deploy_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// root is the repository.
const root = ".."

// jobs run once and end.
func jobs() []string {
	return []string{"migrate", "setup", "temporal-namespace", "temporal-schema"}
}

// ours are the services that run this repository's program.
func ours() []string {
	return []string{"api-1", "api-2", "codec-server", "migrate", "setup", "worker"}
}

// loadCompose parses docker-compose.yml as Docker Compose does, all profiles
// on, with nothing in the environment.
func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "docker-compose.yml"))
	require.NoError(t, err)
	project, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir:  filepath.Dir(path),
		ConfigFiles: []types.ConfigFile{{Filename: path}},
		Environment: types.Mapping{},
	}, func(o *loader.Options) {
		o.Profiles = []string{"*"}
		// The files of deploy/secrets.sh are there on a machine that runs it.
		o.SkipResolveEnvironment = true
	})
	require.NoError(t, err)
	return project
}

// broken says what of the file is wrong, one line for each mistake.
type broken []string

func (b *broken) when(wrong bool, format string, args ...any) {
	if wrong {
		*b = append(*b, fmt.Sprintf(format, args...))
	}
}

func TestComposeFile(t *testing.T) {
	t.Parallel()

	require.Empty(t, check(loadCompose(t)))
}

// check holds the file to what docs/compose.md promises of it.
func check(project *types.Project) broken {
	var b broken
	checkWhatIsThere(&b, project)
	for _, name := range project.ServiceNames() {
		service := project.Services[name]
		checkImage(&b, service)
		checkPorts(&b, service)
		checkLife(&b, service)
		checkSecrets(&b, project, service)
		checkVolumes(&b, project, service)
		b.when(service.ContainerName != "", "%s: container_name keeps it from being scaled", name)
		b.when(service.Logging == nil || service.Logging.Options["max-size"] == "" || service.Logging.Options["max-file"] == "", "%s: its log grows without end", name)
		b.when(!slices.Contains(service.SecurityOpt, "no-new-privileges:true"), "%s: may gain privileges", name)
		b.when(service.Privileged || len(service.CapAdd) > 0, "%s: has privileges", name)
	}
	checkOurs(&b, project)
	checkTemporal(&b, project)
	checkOrder(&b, project)
	checkNetworks(&b, project)
	checkObservability(&b, project)
	return b
}

func checkWhatIsThere(b *broken, project *types.Project) {
	want := append(append([]string{"lgtm", "postgres", "proxy", "temporal", "temporal-ui"}, jobs()...), ours()...)
	slices.Sort(want)
	want = slices.Compact(want)
	got := project.ServiceNames()
	slices.Sort(got)
	b.when(!slices.Equal(want, got), "the services are %v and not %v", got, want)
	apis := 0
	for _, service := range project.Services {
		if len(service.Command) > 0 && service.Command[0] == "api" {
			apis += service.GetScale()
		}
	}
	worker := project.Services["worker"]
	b.when(apis != 2, "there are %d APIs and not two", apis)
	b.when(worker.GetScale() != 2, "there are not two workers")
	metrics := worker.Environment["REWARDFLOW_METRICS_LISTEN"]
	b.when(metrics == nil || *metrics != ":9464", "worker: its metrics are not where Prometheus looks")
	b.when(project.Name != "rewardflow", "the project has the name of a directory")
}

// exact is an image with a version of three parts, or one of our own.
var exact = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-alpine\d+\.\d+)?(@sha256:[0-9a-f]{64})?$`)

func checkImage(b *broken, service types.ServiceConfig) {
	image := service.Image
	b.when(strings.Contains(image, "auto-setup"), "%s: the image auto-setup is no longer built", service.Name)
	if slices.Contains(ours(), service.Name) {
		b.when(image != "rewardflow:local", "%s: runs %s", service.Name, image)
		b.when(service.Build == nil || service.Build.Context != mustAbs(root), "%s: is not built from this repository", service.Name)
		return
	}
	b.when(!exact.MatchString(image), "%s: the image %s is not pinned", service.Name, image)
	b.when(strings.HasPrefix(image, "temporalio/") && !regexp.MustCompile(`:\d+\.\d+\.\d+$`).MatchString(image), "%s: the image %s is not pinned to a patch", service.Name, image)
}

func checkPorts(b *broken, service types.ServiceConfig) {
	for _, port := range service.Ports {
		b.when(port.HostIP != "127.0.0.1", "%s: port %s is open to the network", service.Name, port.Published)
	}
	b.when(service.NetworkMode != "", "%s: has the host's network", service.Name)
	b.when(service.Name == "postgres" && len(service.Ports) > 0, "postgres: is reachable from outside of the containers")
	b.when(strings.HasPrefix(service.Name, "api-") && len(service.Ports) > 0, "%s: can be reached past the proxy", service.Name)
}

// checkLife looks at how a service starts again, how it is known to be well, and
// how long it has to stop.
func checkLife(b *broken, service types.ServiceConfig) {
	if slices.Contains(jobs(), service.Name) {
		b.when(!strings.HasPrefix(service.Restart, "on-failure:"), "%s: a job that ends with 0 is over, one that fails is tried again a few times", service.Name)
		return
	}
	b.when(service.Restart != "unless-stopped", "%s: does not come back after a reboot", service.Name)
	health := service.HealthCheck
	if health == nil || health.Disable || len(health.Test) < 2 || health.Test[0] != "CMD" {
		b.when(true, "%s: nobody knows whether it is well", service.Name)
		return
	}
	b.when(health.Interval == nil || health.Timeout == nil || health.Retries == nil || health.StartPeriod == nil, "%s: its health check relies on defaults", service.Name)
}

func checkSecrets(b *broken, project *types.Project, service types.ServiceConfig) {
	for name, value := range service.Environment {
		secret := regexp.MustCompile(`(PASSWORD|PWD|SECRET|TOKEN|API_KEY|DATABASE)$`).MatchString(name)
		b.when(secret && value != nil, "%s: the secret %s stands in the environment", service.Name, name)
		file, isFile := strings.CutSuffix(name, "_FILE")
		if !isFile || value == nil {
			continue
		}
		given := slices.ContainsFunc(service.Secrets, func(s types.ServiceSecretConfig) bool { return "/run/secrets/"+s.Source == *value })
		b.when(!given, "%s: %s_FILE names %s, which is not among its secrets", service.Name, file, *value)
	}
	for _, secret := range service.Secrets {
		_, ok := project.Secrets[secret.Source]
		b.when(!ok, "%s: the secret %s is nowhere", service.Name, secret.Source)
	}
	for name, secret := range project.Secrets {
		b.when(secret.File != filepath.Join(mustAbs(root), "deploy/compose/secrets", name), "the secret %s is not the file of deploy/secrets.sh", name)
	}
}

func checkVolumes(b *broken, project *types.Project, service types.ServiceConfig) {
	for _, volume := range service.Volumes {
		switch volume.Type {
		case types.VolumeTypeVolume:
			_, named := project.Volumes[volume.Source]
			b.when(!named, "%s: the volume at %s has no name, so its data is lost with the container", service.Name, volume.Target)
		case types.VolumeTypeBind:
			b.when(!volume.ReadOnly, "%s: may write to %s", service.Name, volume.Source)
			b.when(strings.Contains(volume.Source, "docker.sock"), "%s: may command the engine", service.Name)
			_, err := os.Stat(volume.Source)
			b.when(err != nil, "%s: %s does not exist", service.Name, volume.Source)
		}
	}
	data := map[string]string{"postgres": "/var/lib/postgresql/data", "api-1": "/var/lib/rewardflow", "api-2": "/var/lib/rewardflow", "lgtm": "/data"}
	if target, ok := data[service.Name]; ok {
		b.when(!slices.ContainsFunc(service.Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Type == types.VolumeTypeVolume && v.Target == target
		}), "%s: keeps nothing at %s", service.Name, target)
	}
}

func checkOurs(b *broken, project *types.Project) {
	for _, name := range ours() {
		service := project.Services[name]
		b.when(!service.ReadOnly, "%s: may write into its image", name)
		b.when(!slices.Equal(service.CapDrop, []string{"ALL"}), "%s: keeps capabilities", name)
		b.when(service.User != "", "%s: does not run under the image's account", name)
	}
	for _, name := range []string{"api-1", "api-2", "worker"} {
		service := project.Services[name]
		for key, want := range map[string]string{
			"REWARDFLOW_DATABASE_FILE":                     "/run/secrets/database_url",
			"REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE":        "/run/secrets/firstpromoter_api_key",
			"REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET_FILE": "/run/secrets/webhook_secret",
			"REWARDFLOW_ENCRYPTION_KEYS_0_KEY_FILE":        "/run/secrets/encryption_key",
			"TEMPORAL_ADDRESS":                             "temporal:7233",
			"TEMPORAL_NAMESPACE":                           "rewardflow",
		} {
			got := service.Environment[key]
			b.when(got == nil || *got != want, "%s: %s is not %s", name, key, want)
		}
		grace := service.StopGracePeriod
		b.when(grace == nil || time.Duration(*grace) < 30*time.Second, "%s: is killed before it has finished its work", name)
	}
	b.when(!slices.Equal(project.Services["api-1"].HealthCheck.Test, []string{"CMD", "/rewardflow", "healthcheck"}), "api-1: the health check is not the program's own")
	b.when(!slices.Equal(project.Services["worker"].HealthCheck.Test, []string{"CMD", "/rewardflow", "healthcheck", "--worker"}), "worker: the health check is not the program's own")
}

func checkTemporal(b *broken, project *types.Project) {
	server := project.Services["temporal"]
	shards := server.Environment["NUM_HISTORY_SHARDS"]
	b.when(shards == nil || *shards != "512", "temporal: NUM_HISTORY_SHARDS is not 512, and can never be changed")
	version := func(service string) string {
		_, tag, _ := strings.Cut(project.Services[service].Image, ":")
		return tag
	}
	b.when(version("temporal-schema") != version("temporal"), "temporal: the schema is another version's than the server")
	b.when(version("temporal-namespace") != version("temporal"), "temporal: the namespace is made by another version than the server's")
	b.when(!slices.Contains(project.Services["postgres"].Command, "max_connections=200"), "postgres: has fewer connections than its clients may hold")
	retention := project.Services["temporal-namespace"].Environment["RETENTION"]
	b.when(retention == nil || *retention == "", "temporal: the namespace's retention is the server's default")
	codec := project.Services["temporal-ui"].Environment["TEMPORAL_CODEC_ENDPOINT"]
	b.when(codec == nil || !strings.HasSuffix(*codec, ":"+project.Services["codec-server"].Ports[0].Published), "temporal-ui: TEMPORAL_CODEC_ENDPOINT is not where the browser finds the codec server")
	allowed := project.Services["codec-server"].Environment["REWARDFLOW_ENCRYPTION_CODEC_SERVER_UI_ORIGIN"]
	origins := project.Services["temporal-ui"].Environment["TEMPORAL_CORS_ORIGINS"]
	b.when(origins == nil || !strings.HasSuffix(*origins, ":"+project.Services["temporal-ui"].Ports[0].Published), "temporal-ui: TEMPORAL_CORS_ORIGINS is not where the browser finds it")
	b.when(allowed == nil || origins == nil || *allowed != *origins, "codec-server: answers another origin than the Temporal UI's")
}

// checkOrder looks at what waits for what.
func checkOrder(b *broken, project *types.Project) {
	want := map[string]map[string]string{
		"temporal-schema":    {"postgres": types.ServiceConditionHealthy},
		"temporal":           {"temporal-schema": types.ServiceConditionCompletedSuccessfully},
		"temporal-namespace": {"temporal": types.ServiceConditionHealthy},
		"migrate":            {"postgres": types.ServiceConditionHealthy},
		"setup":              {"migrate": types.ServiceConditionCompletedSuccessfully, "temporal-namespace": types.ServiceConditionCompletedSuccessfully},
		"api-1":              {"migrate": types.ServiceConditionCompletedSuccessfully},
		"api-2":              {"migrate": types.ServiceConditionCompletedSuccessfully},
		"worker":             {"setup": types.ServiceConditionCompletedSuccessfully},
	}
	waited := map[string]bool{}
	for name, service := range project.Services {
		for on, condition := range want[name] {
			b.when(service.DependsOn[on].Condition != condition, "%s: does not wait until %s is %s", name, on, condition)
		}
		for on, dependency := range service.DependsOn {
			waited[on] = waited[on] || dependency.Condition == types.ServiceConditionCompletedSuccessfully
		}
		_, needsTemporal := service.DependsOn["temporal"]
		b.when(strings.HasPrefix(name, "api-") && needsTemporal, "%s: does not take events while Temporal is down", name)
	}
	for _, job := range jobs() {
		b.when(!waited[job], "%s: nobody waits for its end, so up --wait would call it a failure", job)
	}
}

func checkNetworks(b *broken, project *types.Project) {
	b.when(!bool(project.Networks["data"].Internal), "the databases' network has a way out")
	on := func(name string) []string { return slices.Sorted(maps.Keys(project.Services[name].Networks)) }
	b.when(!slices.Equal(on("postgres"), []string{"data"}), "postgres: is on the network of the proxy")
	b.when(slices.Contains(on("proxy"), "data"), "proxy: reaches the databases")
	b.when(slices.Contains(on("temporal-ui"), "data"), "temporal-ui: reaches the databases")
	b.when(slices.Contains(on("lgtm"), "data"), "lgtm: reaches the databases")
	b.when(slices.Contains(on("codec-server"), "data"), "codec-server: reaches the databases")
}

func checkObservability(b *broken, project *types.Project) {
	for name, service := range project.Services {
		b.when((name == "lgtm") != slices.Contains(service.Profiles, "observability"), "%s: is in the wrong profile", name)
	}
	mounted := map[string]bool{}
	for _, volume := range project.Services["lgtm"].Volumes {
		mounted[volume.Source] = true
	}
	for _, path := range []string{"deploy/grafana/dashboards", "deploy/prometheus/rules"} {
		b.when(!mounted[filepath.Join(mustAbs(root), path)], "lgtm: does not see %s", path)
	}
}

func mustAbs(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		panic(err)
	}
	return absolute
}
