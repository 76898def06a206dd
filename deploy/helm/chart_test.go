package helm_test

import (
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// connection and workerDeployment are the parts of the Temporal Worker
// Controller's resources (temporal.io/v1alpha1, release 1.8.1) that the chart
// uses: https://github.com/temporalio/temporal-worker-controller/tree/v1.8.1/api/v1alpha1.
// Its module cannot be had from everywhere, so the fields are declared here.
type connection struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		HostPort           string                     `json:"hostPort"`
		MutualTLSSecretRef *core.LocalObjectReference `json:"mutualTLSSecretRef,omitempty"`
		APIKeySecretRef    *core.SecretKeySelector    `json:"apiKeySecretRef,omitempty"`
	} `json:"spec"`
}

type workerDeployment struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		Replicas      *int32               `json:"replicas,omitempty"`
		Template      core.PodTemplateSpec `json:"template"`
		WorkerOptions struct {
			ConnectionRef     core.LocalObjectReference `json:"connectionRef"`
			TemporalNamespace string                    `json:"temporalNamespace"`
		} `json:"workerOptions"`
		Rollout struct {
			Strategy string `json:"strategy"`
			Steps    []struct {
				RampPercentage int           `json:"rampPercentage"`
				PauseDuration  meta.Duration `json:"pauseDuration"`
			} `json:"steps,omitempty"`
		} `json:"rollout"`
		Sunset struct {
			ScaledownDelay meta.Duration `json:"scaledownDelay"`
			DeleteDelay    meta.Duration `json:"deleteDelay"`
		} `json:"sunset"`
	} `json:"spec"`
}

// kinds are the types that the chart may make.
func kinds() map[string]reflect.Type {
	return map[string]reflect.Type{
		"apps/v1 Deployment":                      reflect.TypeFor[apps.Deployment](),
		"batch/v1 Job":                            reflect.TypeFor[batch.Job](),
		"v1 ConfigMap":                            reflect.TypeFor[core.ConfigMap](),
		"v1 Service":                              reflect.TypeFor[core.Service](),
		"v1 ServiceAccount":                       reflect.TypeFor[core.ServiceAccount](),
		"policy/v1 PodDisruptionBudget":           reflect.TypeFor[policy.PodDisruptionBudget](),
		"networking.k8s.io/v1 NetworkPolicy":      reflect.TypeFor[networking.NetworkPolicy](),
		"monitoring.coreos.com/v1 ServiceMonitor": reflect.TypeFor[monitoring.ServiceMonitor](),
		"monitoring.coreos.com/v1 PodMonitor":     reflect.TypeFor[monitoring.PodMonitor](),
		"keda.sh/v1alpha1 ScaledObject":           reflect.TypeFor[keda.ScaledObject](),
		"keda.sh/v1alpha1 TriggerAuthentication":  reflect.TypeFor[keda.TriggerAuthentication](),
		"temporal.io/v1alpha1 Connection":         reflect.TypeFor[connection](),
		"temporal.io/v1alpha1 WorkerDeployment":   reflect.TypeFor[workerDeployment](),
	}
}

// dataDir is where the image keeps what has to last.
const dataDir = "/var/lib/rewardflow"

// release is what a rendered chart makes, by kind and name.
type release map[string]meta.Object

// get returns one object.
func get[T any](t *testing.T, r release, name string) *T {
	t.Helper()
	kind := reflect.TypeFor[T]().Name()
	kind = strings.ToUpper(kind[:1]) + kind[1:]
	object, ok := r[kind+" "+name]
	require.True(t, ok, "%s %s is not among %v", kind, name, slices.Sorted(maps.Keys(r)))
	return any(object).(*T)
}

const leastValues = `
existingSecret: rewardflow-secrets
temporal: {address: "temporal-frontend.temporal:7233"}
`

// render renders the chart as helm install does, its schema included, and
// decodes every document strictly into its Kubernetes type.
func render(t *testing.T, values string) (release, error) {
	t.Helper()
	chart, err := loader.LoadDir("rewardflow")
	require.NoError(t, err)
	var given map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(values), &given))
	all, err := util.ToRenderValues(chart, given, common.ReleaseOptions{Name: "rf", Namespace: "rewards", Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	r := release{}
	for name, content := range files {
		if path.Ext(name) != ".yaml" {
			continue
		}
		for document := range strings.SplitSeq(content, "\n---\n") {
			var header meta.TypeMeta
			require.NoError(t, yaml.Unmarshal([]byte(document), &header), "%s:\n%s", name, document)
			if header.Kind == "" {
				require.Regexp(t, `^(\s|---|#.*)*$`, document, name)
				continue
			}
			typ, ok := kinds()[header.APIVersion+" "+header.Kind]
			require.True(t, ok, "%s makes a %s %s", name, header.APIVersion, header.Kind)
			object := reflect.New(typ)
			require.NoError(t, yaml.UnmarshalStrict([]byte(document), object.Interface()), "%s:\n%s", name, document)
			made := object.Interface().(meta.Object)
			key := header.Kind + " " + made.GetName()
			require.NotContains(t, r, key)
			r[key] = made
		}
	}
	return r, nil
}

func mustRender(t *testing.T, values string) release {
	t.Helper()
	r, err := render(t, values)
	require.NoError(t, err)
	return r
}

func TestChartByDefault(t *testing.T) {
	t.Parallel()

	r := mustRender(t, leastValues)
	require.ElementsMatch(t, []string{
		"ConfigMap rf-rewardflow", "ServiceAccount rf-rewardflow", "ConfigMap rf-rewardflow-migrate", "Job rf-rewardflow-migrate",
		"Deployment rf-rewardflow-api", "Service rf-rewardflow-api", "PodDisruptionBudget rf-rewardflow-api", "NetworkPolicy rf-rewardflow-api",
		"Deployment rf-rewardflow-worker", "PodDisruptionBudget rf-rewardflow-worker", "NetworkPolicy rf-rewardflow-worker",
	}, slices.Collect(maps.Keys(r)), "no database, no ServiceMonitor, no resource of an operator")

	for key, object := range r {
		labels := object.GetLabels()
		for _, name := range []string{"name", "instance", "component", "version", "managed-by", "part-of"} {
			require.NotEmpty(t, labels["app.kubernetes.io/"+name], "%s: %s", key, name)
		}
		require.Equal(t, "rewardflow-0.1.0", labels["helm.sh/chart"], key)
	}
	for _, component := range []string{"api", "worker"} {
		deployment := get[apps.Deployment](t, r, "rf-rewardflow-"+component)
		require.Equal(t, int32(2), *deployment.Spec.Replicas)
		checkSelector(t, deployment.Spec.Selector.MatchLabels, deployment.Spec.Template.Labels)
		checkPod(t, deployment.Spec.Template.Spec)
		budget := get[policy.PodDisruptionBudget](t, r, "rf-rewardflow-"+component)
		require.Equal(t, 1, budget.Spec.MaxUnavailable.IntValue())
		checkSelector(t, budget.Spec.Selector.MatchLabels, deployment.Spec.Template.Labels)
		network := get[networking.NetworkPolicy](t, r, "rf-rewardflow-"+component)
		checkSelector(t, network.Spec.PodSelector.MatchLabels, deployment.Spec.Template.Labels)
		require.ElementsMatch(t, []networking.PolicyType{"Ingress", "Egress"}, network.Spec.PolicyTypes)
	}
	service := get[core.Service](t, r, "rf-rewardflow-api")
	api := get[apps.Deployment](t, r, "rf-rewardflow-api")
	checkSelector(t, service.Spec.Selector, api.Spec.Template.Labels)
	require.Equal(t, "http", service.Spec.Ports[0].TargetPort.String())
	require.Zero(t, api.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue(), "an upgrade takes no API away before another is ready")
}

func checkSelector(t *testing.T, selector, labels map[string]string) {
	t.Helper()
	require.NotEmpty(t, selector)
	require.Contains(t, selector, "app.kubernetes.io/component", "or it would select both the API and the worker")
	require.NotContains(t, selector, "app.kubernetes.io/version", "a selector can never be changed")
	for name, value := range selector {
		require.Equal(t, value, labels[name])
	}
}

// checkPod holds a pod to Kubernetes' restricted standard and to what
// rewardflow needs.
func checkPod(t *testing.T, pod core.PodSpec) {
	t.Helper()
	security := pod.SecurityContext
	require.True(t, *security.RunAsNonRoot)
	require.Equal(t, int64(65532), *security.RunAsUser)
	require.Equal(t, core.SeccompProfileTypeRuntimeDefault, security.SeccompProfile.Type)
	require.False(t, *pod.AutomountServiceAccountToken)
	mounted := map[string]string{}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		require.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
		require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
		require.Equal(t, []core.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
		require.NotEmpty(t, container.Resources.Requests)
		require.NotEmpty(t, container.Resources.Limits.Memory().String())
		for _, mount := range container.VolumeMounts {
			mounted[mount.MountPath] = mount.Name
			require.True(t, mount.ReadOnly || mount.MountPath == dataDir, "%s may be written to", mount.MountPath)
		}
		environment := map[string]string{}
		for _, env := range container.Env {
			require.NotContains(t, environment, env.Name)
			environment[env.Name] = env.Value
			require.False(t, env.Value != "" && regexp.MustCompile(`(SECRET|API_KEY|DATABASE|PASSWORD)$`).MatchString(env.Name), "%s stands in the pod", env.Name)
		}
		require.Equal(t, "/run/secrets/rewardflow/database-url", environment["REWARDFLOW_DATABASE_FILE"])
		require.Equal(t, "/run/secrets/rewardflow/firstpromoter-api-key", environment["REWARDFLOW_FIRSTPROMOTER_API_KEY_FILE"])
		require.Equal(t, "/run/secrets/rewardflow/webhook-secret", environment["REWARDFLOW_FIRSTPROMOTER_WEBHOOK_SECRET_FILE"])
	}
	for _, volume := range pod.Volumes {
		if volume.Name == "secrets" {
			require.Equal(t, "rewardflow-secrets", volume.Secret.SecretName)
			require.Equal(t, int32(0o440), *volume.Secret.DefaultMode)
			require.Len(t, volume.Secret.Items, 3)
		}
	}
	require.Equal(t, map[string]string{"/etc/rewardflow": "config", "/run/secrets/rewardflow": "secrets", dataDir: "data"}, mounted)
}

func TestChartProbes(t *testing.T) {
	t.Parallel()

	r := mustRender(t, leastValues)
	api := get[apps.Deployment](t, r, "rf-rewardflow-api").Spec.Template.Spec
	require.Equal(t, []string{"api"}, api.Containers[0].Args)
	require.Equal(t, "/livez", api.Containers[0].LivenessProbe.HTTPGet.Path, "a database that is away is no reason for a restart")
	require.Equal(t, "/readyz", api.Containers[0].ReadinessProbe.HTTPGet.Path)
	require.Equal(t, "/livez", api.Containers[0].StartupProbe.HTTPGet.Path)
	require.GreaterOrEqual(t, *api.TerminationGracePeriodSeconds, int64(30))
	probe := api.Containers[0].ReadinessProbe
	require.Less(t, probe.PeriodSeconds*probe.FailureThreshold, int32(5), "it is noticed within drain_for")

	worker := get[apps.Deployment](t, r, "rf-rewardflow-worker").Spec.Template.Spec
	require.Equal(t, []string{"worker"}, worker.Containers[0].Args)
	require.Equal(t, []string{"/rewardflow", "healthcheck", "--worker"}, worker.Containers[0].ReadinessProbe.Exec.Command)
	require.Nil(t, worker.Containers[0].LivenessProbe)
	require.GreaterOrEqual(t, *worker.TerminationGracePeriodSeconds, int64(60))
}

func TestChartMigratesFirst(t *testing.T) {
	t.Parallel()

	r := mustRender(t, leastValues)
	job := get[batch.Job](t, r, "rf-rewardflow-migrate")
	config := get[core.ConfigMap](t, r, "rf-rewardflow-migrate")
	for _, annotations := range []map[string]string{job.Annotations, config.Annotations} {
		require.Equal(t, "pre-install,pre-upgrade", annotations["helm.sh/hook"])
	}
	require.Equal(t, "-10", config.Annotations["helm.sh/hook-weight"], "the job needs it")
	require.Equal(t, "-5", job.Annotations["helm.sh/hook-weight"])
	require.NotContains(t, job.Annotations["helm.sh/hook-delete-policy"], "hook-failed", "its log is needed")
	pod := job.Spec.Template.Spec
	require.Empty(t, pod.ServiceAccountName, "the release's account does not exist yet")
	require.Equal(t, "rf-rewardflow-migrate", pod.Volumes[0].ConfigMap.Name)
	require.Equal(t, []string{"migrate"}, pod.InitContainers[0].Args)
	require.Equal(t, []string{"setup"}, pod.Containers[0].Args)
	checkPod(t, pod)

	alone := get[batch.Job](t, mustRender(t, leastValues+"migrate: {setup: false}"), "rf-rewardflow-migrate").Spec.Template.Spec
	require.Empty(t, alone.InitContainers)
	require.Equal(t, []string{"migrate"}, alone.Containers[0].Args)
	require.NotContains(t, mustRender(t, leastValues+"migrate: {enabled: false}"), "Job rf-rewardflow-migrate")
}

func TestChartNetwork(t *testing.T) {
	t.Parallel()

	r := mustRender(t, leastValues+"networkPolicy: {ingressFrom: [{namespaceSelector: {matchLabels: {name: ingress}}}], egressPorts: [443, 6432]}")
	api := get[networking.NetworkPolicy](t, r, "rf-rewardflow-api").Spec
	require.Len(t, api.Ingress, 1)
	require.Equal(t, "http", api.Ingress[0].Ports[0].Port.String())
	require.Equal(t, map[string]string{"name": "ingress"}, api.Ingress[0].From[0].NamespaceSelector.MatchLabels)
	var ports []string
	for _, port := range api.Egress[1].Ports {
		ports = append(ports, port.Port.String())
	}
	require.Equal(t, []string{"443", "6432"}, ports)
	require.Empty(t, get[networking.NetworkPolicy](t, r, "rf-rewardflow-worker").Spec.Ingress, "nobody calls a worker")
	require.NotContains(t, mustRender(t, leastValues+"networkPolicy: {enabled: false}"), "NetworkPolicy rf-rewardflow-api")
}

func TestChartFollowsItsConfiguration(t *testing.T) {
	t.Parallel()

	checksum := func(r release) string {
		return get[apps.Deployment](t, r, "rf-rewardflow-worker").Spec.Template.Annotations["checksum/config"]
	}
	before := mustRender(t, leastValues)
	after := mustRender(t, leastValues+"config: {approvals: {remind_after: 12h}}")
	require.NotEqual(t, checksum(before), checksum(after))
	require.Contains(t, get[core.ConfigMap](t, after, "rf-rewardflow").Data["rewardflow.yaml"], "remind_after: 12h")
	require.Contains(t, get[core.ConfigMap](t, after, "rf-rewardflow-migrate").Data["rewardflow.yaml"], "remind_after: 12h")

	digest := "sha256:" + strings.Repeat("a", 64)
	r := mustRender(t, leastValues+`
image: {digest: "`+digest+`"}
secretFiles: {REWARDFLOW_PROVIDERS_TEAM_SECRET: team-secret}
extraEnv: [{name: OTEL_EXPORTER_OTLP_ENDPOINT, value: "http://collector:4318"}]
api: {spool: {existingClaim: spool}}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
`)
	pod := get[apps.Deployment](t, r, "rf-rewardflow-api").Spec.Template.Spec
	require.Equal(t, "ghcr.io/rewardflow/rewardflow@"+digest, pod.Containers[0].Image)
	require.Contains(t, pod.Containers[0].Env, core.EnvVar{Name: "REWARDFLOW_PROVIDERS_TEAM_SECRET_FILE", Value: "/run/secrets/rewardflow/team-secret"})
	require.Contains(t, pod.Containers[0].Env, core.EnvVar{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: "http://collector:4318"})
	require.Equal(t, "spool", pod.Volumes[2].PersistentVolumeClaim.ClaimName)
	monitor := get[monitoring.ServiceMonitor](t, r, "rf-rewardflow-api")
	require.Equal(t, "/metrics", monitor.Spec.Endpoints[0].Path)
	require.Equal(t, "prometheus", monitor.Labels["release"])
	requireWorkersAreScraped(t, r)
}

// requireWorkersAreScraped follows one name through the worker's metrics, and
// leaves the worker alone where nobody asks for them.
func requireWorkersAreScraped(t *testing.T, r release) {
	t.Helper()
	listens := core.EnvVar{Name: "REWARDFLOW_METRICS_LISTEN", Value: ":9464"}
	worker := get[apps.Deployment](t, r, "rf-rewardflow-worker").Spec.Template
	require.Contains(t, worker.Spec.Containers[0].Env, listens)
	require.Equal(t, []core.ContainerPort{{Name: "metrics", ContainerPort: 9464}}, worker.Spec.Containers[0].Ports)
	pods := get[monitoring.PodMonitor](t, r, "rf-rewardflow-worker")
	require.Equal(t, "metrics", *pods.Spec.PodMetricsEndpoints[0].Port)
	require.Subset(t, worker.Labels, pods.Spec.Selector.MatchLabels)
	require.Equal(t, "prometheus", pods.Labels["release"])
	ingress := get[networking.NetworkPolicy](t, r, "rf-rewardflow-worker").Spec.Ingress
	require.Len(t, ingress, 1)
	require.Equal(t, "metrics", ingress[0].Ports[0].Port.String())

	quiet := get[apps.Deployment](t, mustRender(t, leastValues), "rf-rewardflow-worker").Spec.Template.Spec.Containers[0]
	require.NotContains(t, quiet.Env, listens)
	require.Empty(t, quiet.Ports)
}

func TestChartOnTemporalCloud(t *testing.T) {
	t.Parallel()

	const cloud = "existingSecret: rewardflow-secrets\ntemporal: {address: 'rewards.a1b2c.tmprl.cloud:7233', namespace: rewards.a1b2c, "
	key := get[apps.Deployment](t, mustRender(t, cloud+"apiKeySecret: cloud}"), "rf-rewardflow-worker").Spec.Template.Spec.Containers[0]
	i := slices.IndexFunc(key.Env, func(e core.EnvVar) bool { return e.Name == "TEMPORAL_API_KEY" })
	require.Equal(t, "cloud", key.Env[i].ValueFrom.SecretKeyRef.Name)

	pod := get[apps.Deployment](t, mustRender(t, cloud+"tlsSecret: cloud}"), "rf-rewardflow-worker").Spec.Template.Spec
	require.Contains(t, pod.Containers[0].Env, core.EnvVar{Name: "TEMPORAL_TLS_CLIENT_CERT_PATH", Value: "/run/secrets/temporal/tls.crt"})
	require.True(t, slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "cloud" }))
}

func TestChartWithTheWorkerController(t *testing.T) {
	t.Parallel()

	r := mustRender(t, leastValues+`
worker:
  controller:
    enabled: true
    rollout: {strategy: Progressive, steps: [{rampPercentage: 10, pauseDuration: 5m}]}
`)
	require.NotContains(t, r, "Deployment rf-rewardflow-worker")
	require.Equal(t, "temporal-frontend.temporal:7233", get[connection](t, r, "rf-rewardflow").Spec.HostPort)
	worker := get[workerDeployment](t, r, "rf-rewardflow-worker").Spec
	require.Equal(t, "rf-rewardflow", worker.WorkerOptions.ConnectionRef.Name)
	require.Equal(t, "rewardflow", worker.WorkerOptions.TemporalNamespace)
	require.Equal(t, "Progressive", worker.Rollout.Strategy)
	require.Equal(t, 10, worker.Rollout.Steps[0].RampPercentage)
	require.GreaterOrEqual(t, worker.Sunset.DeleteDelay.Hours(), 168.0)
	for _, env := range worker.Template.Spec.Containers[0].Env {
		require.NotContains(t, []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY"}, env.Name, "the controller says it")
	}
	checkPod(t, worker.Template.Spec)
}

func TestChartWithKEDA(t *testing.T) {
	t.Parallel()

	r := mustRender(t, "existingSecret: s\ntemporal: {address: 'a.tmprl.cloud:7233', namespace: a, apiKeySecret: cloud}\nworker: {keda: {enabled: true}}")
	require.Nil(t, get[apps.Deployment](t, r, "rf-rewardflow-worker").Spec.Replicas, "two would count against each other")
	scaled := get[keda.ScaledObject](t, r, "rf-rewardflow-worker").Spec
	require.Equal(t, "rf-rewardflow-worker", scaled.ScaleTargetRef.Name)
	require.GreaterOrEqual(t, *scaled.MinReplicaCount, int32(1), "what waits for a timer has no task in the queue")
	require.Equal(t, map[string]string{
		"endpoint": "a.tmprl.cloud:7233", "namespace": "a", "taskQueue": "rewardflow", "queueTypes": "workflow,activity", "targetQueueSize": "20",
	}, scaled.Triggers[0].Metadata)
	require.Equal(t, "rf-rewardflow-temporal", scaled.Triggers[0].AuthenticationRef.Name)
	authentication := get[keda.TriggerAuthentication](t, r, "rf-rewardflow-temporal")
	require.Equal(t, keda.AuthSecretTargetRef{Parameter: "apiKey", Name: "cloud", Key: "api-key"}, authentication.Spec.SecretTargetRef[0])
}

func TestChartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()

	for values, want := range map[string]string{
		"temporal: {address: 'a:1'}":                                                   "existingSecret",
		"existingSecret: s":                                                            "temporal/address",
		"existingSecret: s\ntemporal: {address: temporal}":                             "temporal/address",
		leastValues + "replicas: 3":                                                    "replicas",
		leastValues + "api: {replicas: 0}":                                             "api/replicas",
		leastValues + "api: {replica: 3}":                                              "replica",
		leastValues + "image: {tag: 'a b'}":                                            "image/tag",
		leastValues + "image: {digest: 'sha256:abc'}":                                  "image/digest",
		leastValues + "secretFiles: {DATABASE_URL: database-url}":                      "DATABASE_URL",
		leastValues + "secretFiles: {REWARDFLOW_DATABASE_FILE: database-url}":          "REWARDFLOW_DATABASE_FILE",
		leastValues + "worker: {keda: {enabled: true, minReplicas: 0}}":                "worker/keda/minReplicas",
		leastValues + "worker: {controller: {rollout: {strategy: Progressive}}}":       "worker/controller/rollout",
		leastValues + "worker: {terminationGracePeriodSeconds: 5}":                     "terminationGracePeriodSeconds",
		leastValues + "worker: {keda: {enabled: true}, controller: {enabled: true}}":   "choose one",
		leastValues + "api: {podDisruptionBudget: {enabled: true, maxUnavailable: 0}}": "maxUnavailable",
	} {
		_, err := render(t, values)
		require.ErrorContains(t, err, want, values)
	}
}
