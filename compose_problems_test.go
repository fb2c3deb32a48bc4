package silque_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/silquetech/silque-notifications/internal/config"
)

// ours are the services that run this repository's programs: their settings are config's, and a stop may not cut off
// what they are sending.
var ours = []string{"web", "worker", "starter"}

// problemsOf names each promise of docker-compose.yml that the project breaks, as "service: what is wrong".
func problemsOf(project *types.Project) []string {
	var problems []string
	for _, name := range project.ServiceNames() {
		service := project.Services[name]
		found := slices.Concat(privilegeProblems(service), portProblems(service), imageProblems(service),
			environmentProblems(service), lifeProblems(service), orderProblems(project, service), mountProblems(service))
		if slices.Contains(ours, name) {
			found = append(found, settingProblems(service)...)
		}
		for _, problem := range found {
			problems = append(problems, name+": "+problem)
		}
	}
	return append(problems, unusedSecrets(project)...)
}

func privilegeProblems(service types.ServiceConfig) []string {
	var problems []string
	if uid, _, _ := strings.Cut(service.User, ":"); uid == "" || uid == "0" || uid == "root" {
		problems = append(problems, "runs as root")
	}
	if !service.ReadOnly {
		problems = append(problems, "has a file system that can be written to")
	}
	if service.Privileged || len(service.CapAdd) > 0 || !slices.Equal(service.CapDrop, []string{"ALL"}) {
		problems = append(problems, "has capabilities")
	}
	if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
		problems = append(problems, "can gain privileges")
	}
	return problems
}

func portProblems(service types.ServiceConfig) []string {
	var problems []string
	if service.NetworkMode != "" && service.NetworkMode != "none" {
		problems = append(problems, "is in the network of "+service.NetworkMode)
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			problems = append(problems, fmt.Sprintf("publishes port %s on %q, not on 127.0.0.1 alone", port.Published, port.HostIP))
		}
	}
	return problems
}

// pinned is an image with a full version, such as postgres:17.11-bookworm.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$`)

func imageProblems(service types.ServiceConfig) []string {
	if service.Build == nil && !pinned.MatchString(service.Image) {
		return []string{"image " + service.Image + " is not pinned"}
	}
	return nil
}

// secretName is a variable that would hold a secret, if it does not name a file.
var secretName = regexp.MustCompile(`(?i)(password|passwd|pwd|secret|token|api_key|credential|database_url)`)

// withCredentials is a URL that carries a password.
var withCredentials = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@`)

func environmentProblems(service types.ServiceConfig) []string {
	var problems []string
	for name, value := range service.Environment {
		switch {
		case value == nil:
			problems = append(problems, name+" is taken from the environment of whoever starts it")
		case secretName.MatchString(name) && !strings.HasSuffix(name, "_FILE") && *value != "":
			problems = append(problems, name+" is a secret in the environment")
		case withCredentials.MatchString(*value):
			problems = append(problems, name+" has a password in the environment")
		}
		if path := secretPath(name, value); path != "" && !grants(service, path) {
			problems = append(problems, name+" names a secret that the service is not given")
		}
	}
	return problems
}

const secretFolder = "/run/secrets/"

// secretPath gives the secret that a variable such as DATABASE_URL_FILE names.
func secretPath(name string, value *string) string {
	if value == nil || !strings.HasSuffix(name, "_FILE") {
		return ""
	}
	return strings.TrimPrefix(*value, secretFolder)
}

func grants(service types.ServiceConfig, secret string) bool {
	return slices.ContainsFunc(service.Secrets, func(s types.ServiceSecretConfig) bool { return s.Source == secret })
}

// oneShot is a service that ends by itself.
func oneShot(service types.ServiceConfig) bool { return service.Restart == types.RestartPolicyNo }

func healthy(service types.ServiceConfig) bool {
	return service.HealthCheck != nil && !service.HealthCheck.Disable && len(service.HealthCheck.Test) > 1
}

func lifeProblems(service types.ServiceConfig) []string {
	var problems []string
	switch {
	case oneShot(service):
	case service.Restart != types.RestartPolicyUnlessStopped:
		problems = append(problems, "is not started again when it ends")
	case !healthy(service):
		problems = append(problems, "has no health check")
	}
	if service.Logging == nil || service.Logging.Options["max-size"] == "" || service.Logging.Options["max-file"] == "" {
		problems = append(problems, "has logs without a limit")
	}
	return problems
}

func orderProblems(project *types.Project, service types.ServiceConfig) []string {
	var problems []string
	for name, dependency := range service.DependsOn {
		target := project.Services[name]
		switch dependency.Condition {
		case types.ServiceConditionHealthy:
			if oneShot(target) || !healthy(target) {
				problems = append(problems, "waits for the health of "+name+", which has none")
			}
		case types.ServiceConditionCompletedSuccessfully:
			if !oneShot(target) {
				problems = append(problems, "waits for the end of "+name+", which runs for ever")
			}
		default:
			problems = append(problems, "does not wait until "+name+" is ready")
		}
	}
	return problems
}

func mountProblems(service types.ServiceConfig) []string {
	var problems []string
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		if !volume.ReadOnly {
			problems = append(problems, "may write to "+volume.Source)
		}
		if _, err := os.Stat(volume.Source); err != nil {
			problems = append(problems, "mounts what is not there: "+volume.Source)
		}
	}
	return problems
}

// settingProblems finds variables that no program reads, such as misspelt ones.
func settingProblems(service types.ServiceConfig) []string {
	known := map[string]bool{"TEMPORAL_ADDRESS": true, "TEMPORAL_NAMESPACE": true}
	for _, setting := range config.Settings() {
		known[setting.Name], known[setting.Name+"_FILE"] = true, true
	}
	var problems []string
	for name := range service.Environment {
		if !known[name] {
			problems = append(problems, name+" is no setting")
		}
	}
	return problems
}

func unusedSecrets(project *types.Project) []string {
	var problems []string
	for name := range project.Secrets {
		used := slices.ContainsFunc(project.ServiceNames(), func(service string) bool {
			return grants(project.Services[service], name)
		})
		if !used {
			problems = append(problems, "secret "+name+" is read by no service")
		}
	}
	return problems
}
