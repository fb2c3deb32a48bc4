package silque_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/silquetech/silque-notifications/internal/config"
)

// load reads a compose file as "docker compose config" does, with every profile, and with the given variables alone.
func load(t *testing.T, file string, environment ...string) (*types.Project, error) {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithWorkingDirectory(root), cli.WithEnv(environment), cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

func compose(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	project, err := load(t, "docker-compose.yml", environment...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestTheComposeFileKeepsItsPromises(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for _, problem := range problemsOf(project) {
		t.Error(problem)
	}
	for _, name := range append(slices.Clone(ours), "postgres", "temporal", "temporal-ui", "mailpit") {
		if _, err := project.GetService(name); err != nil {
			t.Error(err)
		}
	}
}

// Each case breaks one promise: a check that finds nothing anywhere would pass for ever.
func TestABrokenPromiseOfTheComposeFileIsFound(t *testing.T) {
	t.Parallel()
	secret := "hunter2hunter2"
	for _, test := range []struct {
		name, service, problem string
		sabotage               func(*types.ServiceConfig)
	}{
		{"root", "worker", "runs as root", func(s *types.ServiceConfig) { s.User = "0:0" }},
		{"no user", "web", "runs as root", func(s *types.ServiceConfig) { s.User = "" }},
		{"a writable file system", "web", "can be written to", func(s *types.ServiceConfig) { s.ReadOnly = false }},
		{"a capability", "postgres", "has capabilities", func(s *types.ServiceConfig) { s.CapAdd = []string{"CHOWN"} }},
		{"set-uid programs", "mailpit", "can gain privileges", func(s *types.ServiceConfig) { s.SecurityOpt = nil }},
		{"a port on all interfaces", "web", "not on 127.0.0.1", func(s *types.ServiceConfig) { s.Ports[0].HostIP = "" }},
		{"the host's network", "worker", "is in the network of host", func(s *types.ServiceConfig) { s.NetworkMode = "host" }},
		{"the newest image", "mailpit", "is not pinned", func(s *types.ServiceConfig) { s.Image = "axllent/mailpit:latest" }},
		{"a major version only", "postgres", "is not pinned", func(s *types.ServiceConfig) { s.Image = "postgres:17" }},
		{"a password in the environment", "worker", "SMTP_PASSWORD is a secret", func(s *types.ServiceConfig) { s.Environment["SMTP_PASSWORD"] = &secret }},
		{"a password in a URL", "temporal-ui", "has a password", func(s *types.ServiceConfig) {
			url := "postgres://someone:" + secret + "@postgres/x"
			s.Environment["PROXY"] = &url
		}},
		{"a secret that is not given", "worker", "not given", func(s *types.ServiceConfig) { s.Secrets = nil }},
		{"a misspelt setting", "worker", "SMTP_HOTS is no setting", func(s *types.ServiceConfig) { s.Environment["SMTP_HOTS"] = &secret }},
		{"no health check", "temporal", "has no health check", func(s *types.ServiceConfig) { s.HealthCheck = nil }},
		{"no restart", "worker", "is not started again", func(s *types.ServiceConfig) { s.Restart = "" }},
		{"logs without a limit", "web", "logs without a limit", func(s *types.ServiceConfig) { s.Logging = nil }},
		{"a start that does not wait", "web", "does not wait until postgres", func(s *types.ServiceConfig) {
			s.DependsOn["postgres"] = types.ServiceDependency{Condition: types.ServiceConditionStarted}
		}},
		{"a wait for the end of a server", "web", "runs for ever", func(s *types.ServiceConfig) {
			s.DependsOn["postgres"] = types.ServiceDependency{Condition: types.ServiceConditionCompletedSuccessfully}
		}},
		{"a mount that is not there", "temporal", "not there", func(s *types.ServiceConfig) { s.Volumes[0].Source += "/nowhere" }},
		{"a mount that may be written to", "temporal", "may write to", func(s *types.ServiceConfig) { s.Volumes[0].ReadOnly = false }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			project := compose(t)
			service := project.Services[test.service]
			service.Environment = maps.Clone(service.Environment)
			test.sabotage(&service)
			project.Services[test.service] = service
			found := slices.ContainsFunc(problemsOf(project), func(problem string) bool {
				return strings.HasPrefix(problem, test.service+": ") && strings.Contains(problem, test.problem)
			})
			if !found {
				t.Errorf("not found: %s: %s; but: %q", test.service, test.problem, problemsOf(project))
			}
		})
	}
}

func TestAnUndeclaredVolumeOrSecretIsFound(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	for before, after := range map[string]string{
		"- postgres-data:/var":      "- lost:/var",
		"secrets: [database_url, s": "secrets: [lost, s",
		"networks: [inside]":        "networks: [lost]",
	} {
		broken := strings.Replace(string(content), before, after, 1)
		if broken == string(content) {
			t.Fatalf("docker-compose.yml has no %q", before)
		}
		file := filepath.Join(t.TempDir(), "docker-compose.yml")
		if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(t, file); err == nil || !strings.Contains(err.Error(), "lost") {
			t.Errorf("%s: got %v, want an error that names it", after, err)
		}
	}
}

// environ gives what the service's program finds: the secrets' files hold what deploy/secrets/create.sh writes.
func environ(t *testing.T, service types.ServiceConfig) []string {
	t.Helper()
	contents := map[string]string{
		"database_url":      "postgres://notifications:0123456789abcdef@postgres:5432/notifications?sslmode=disable",
		"api_token":         strings.Repeat("0123456789abcdef", 4),
		"smtp_password":     "",
		"twilio_auth_token": "",
	}
	folder := t.TempDir()
	var variables []string
	for name, value := range service.Environment {
		secret := secretPath(name, value)
		if secret == "" {
			variables = append(variables, name+"="+*value)
			continue
		}
		content, ok := contents[secret]
		if !ok {
			t.Fatalf("%s names %s, which no script makes", name, secret)
		}
		file := filepath.Join(folder, secret)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		variables = append(variables, name+"="+file)
	}
	return variables
}

func TestOurProgramsAcceptTheSettingsOfTheComposeFile(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"deploy/settings.mailpit.env", "deploy/settings.example.env"} {
		project := compose(t, "SILQUE_SETTINGS="+settings)
		for _, name := range ours {
			t.Run(name+" with "+filepath.Base(settings), func(t *testing.T) {
				t.Parallel()
				service := project.Services[name]
				variables := environ(t, service)
				loaded, err := config.Load(variables)
				if err != nil {
					t.Fatal(err)
				}
				if grace := time.Duration(*service.StopGracePeriod); grace <= loaded.Notify.StopTimeout {
					t.Errorf("Docker kills it after %s, while it may take %s to stop", grace, loaded.Notify.StopTimeout)
				}
				if !strings.HasPrefix(loaded.DatabaseURL, "postgres://") || loaded.SMTP.From == "" {
					t.Errorf("no Postgres, or no sender of email: %q", loaded.SMTP.From)
				}
				if name == "web" && loaded.Notify.APIToken == "" {
					t.Error("the API has no token")
				}
			})
		}
	}
}

func TestOurProgramsFindTemporalAndAnswerTheirHealthChecks(t *testing.T) {
	t.Parallel()
	project := compose(t)
	for _, name := range ours {
		service := project.Services[name]
		profile, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{
			DisableFile: true, EnvLookup: lookup(service.Environment),
		})
		if err != nil {
			t.Fatal(err)
		}
		if profile.Address != "temporal:7233" || profile.Namespace != "default" {
			t.Errorf("%s looks for Temporal at %s, namespace %s", name, profile.Address, profile.Namespace)
		}
		if oneShot(service) {
			continue
		}
		program := "/usr/local/bin/" + name
		if want := []string{"CMD", program, "-healthcheck"}; !slices.Equal(service.HealthCheck.Test, want) {
			t.Errorf("%s is asked for its health by %q", name, service.HealthCheck.Test)
		}
		if !slices.Equal(service.Command, []string{program}) {
			t.Errorf("%s runs %q", name, service.Command)
		}
	}
}

// lookup is an environment of nothing but a service's variables.
type lookup types.MappingWithEquals

func (l lookup) Environ() []string { return types.MappingWithEquals(l).ToMapping().Values() }

func (l lookup) LookupEnv(name string) (string, bool) {
	value, ok := l[name]
	if !ok || value == nil {
		return "", false
	}
	return *value, true
}

func TestNothingButPublishedServicesHasAWayOut(t *testing.T) {
	t.Parallel()
	project := compose(t)
	if !project.Networks["inside"].Internal {
		t.Error("the network inside leads outside")
	}
	for _, name := range []string{"postgres", "temporal", "temporal-schema", "temporal-namespace"} {
		if service := project.Services[name]; len(service.Ports) > 0 || !slices.Equal(slices.Collect(maps.Keys(service.Networks)), []string{"inside"}) {
			t.Errorf("%s can be reached, or reaches out", name)
		}
	}
}
