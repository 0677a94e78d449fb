package main

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// composeFile is the part of docker-compose.kafka.yml that promises something.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string                                `yaml:"image"`
	Build       string                                `yaml:"build"`
	Command     []string                              `yaml:"command"`
	Environment map[string]string                     `yaml:"environment"`
	Ports       []string                              `yaml:"ports"`
	Volumes     []string                              `yaml:"volumes"`
	Profiles    []string                              `yaml:"profiles"`
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	Healthcheck struct {
		Test    []string `yaml:"test"`
		Disable bool     `yaml:"disable"`
	} `yaml:"healthcheck"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.kafka.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatalf("docker-compose.kafka.yml: %v", err)
	}
	return file
}

func TestComposeServices(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	images := map[string]string{
		"kafka": `^apache/kafka:4\.\d+\.\d+$`, "redis": `^redis:[7-9]\.\d+`,
		"topics": `^hongbao$`, "hongbao": `^hongbao$`, "hongbao-2": `^hongbao$`,
	}
	if got, want := slices.Sorted(maps.Keys(file.Services)), slices.Sorted(maps.Keys(images)); !slices.Equal(got, want) {
		t.Fatalf("services are %v, want %v", got, want)
	}
	for name, s := range file.Services {
		if !regexp.MustCompile(images[name]).MatchString(s.Image) {
			t.Errorf("%s: image is %q, want one like %s", name, s.Image, images[name])
		}
		if name != "topics" && len(s.Healthcheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to the network; nothing here has a password", name, port)
			}
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if _, ok := file.Volumes[source]; !ok {
				t.Errorf("%s: volume %s is not declared", name, source)
			}
		}
		for dependency, d := range s.DependsOn {
			want := "service_healthy"
			if dependency == "topics" {
				want = "service_completed_successfully"
			}
			if _, ok := file.Services[dependency]; !ok || d.Condition != want {
				t.Errorf("%s waits for %s to be %q, want %q of a service that is there", name, dependency, d.Condition, want)
			}
		}
	}
}

// What the services are told is what this binary understands.
func TestComposeSpeaksHongbao(t *testing.T) {
	t.Parallel()
	file := readCompose(t)
	known := map[string]bool{}
	for _, s := range settings() {
		known[s.env] = true
	}
	instances, volumes := map[string]bool{}, map[string]bool{}
	builds := 0
	for name, s := range file.Services {
		if s.Build != "" {
			builds++
		}
		if s.Image != "hongbao" {
			continue
		}
		var env []string
		for variable, value := range s.Environment {
			if !known[variable] {
				t.Errorf("%s: %s is no setting", name, variable)
			}
			if !strings.HasPrefix(value, "${") { // left to the caller's environment
				env = append(env, variable+"="+value)
			}
		}
		if code, out, errOut := start(t, env, "config"); code != exitDone {
			t.Errorf("%s: its environment is refused: %s%s", name, out, errOut)
		}
		if len(s.Command) > 0 {
			if cmd, rest, err := newRootCommand(&app{}).Find(s.Command); err != nil || len(rest) > 0 || !cmd.Runnable() {
				t.Errorf("%s: there is no command %v", name, s.Command)
			}
			continue
		}
		if instance := s.Environment["HONGBAO_INSTANCE"]; instance == "" || instances[instance] || volumes[s.Volumes[0]] {
			t.Errorf("%s: instances need a name and a data volume of their own", name)
		}
		instances[s.Environment["HONGBAO_INSTANCE"]], volumes[s.Volumes[0]] = true, true
	}
	if builds != 1 {
		t.Errorf("%d services build the image; one is enough", builds)
	}
	if len(instances) != 2 {
		t.Errorf("there are %d instances, want one and, by the profile two, another", len(instances))
	}
}

// Kafka's listeners fit together: what is advertised is listened on, and clients dial what is advertised.
func TestComposeListeners(t *testing.T) {
	t.Parallel()
	services := readCompose(t).Services
	kafka := services["kafka"].Environment
	for listener := range strings.SplitSeq(kafka["KAFKA_ADVERTISED_LISTENERS"], ",") {
		name, address, _ := strings.Cut(listener, "://")
		port := address[strings.LastIndex(address, ":"):]
		if !strings.Contains(kafka["KAFKA_LISTENERS"], name+"://"+port) {
			t.Errorf("advertised %s is not among the listeners %s", listener, kafka["KAFKA_LISTENERS"])
		}
		if !strings.Contains(kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"], name+":PLAINTEXT") {
			t.Errorf("listener %s has no protocol", name)
		}
	}
	if broker := services["hongbao"].Environment["HONGBAO_BROKERS"]; !strings.Contains(kafka["KAFKA_ADVERTISED_LISTENERS"], "INSIDE://"+broker) {
		t.Errorf("hongbao dials %s, which Kafka does not advertise: %s", broker, kafka["KAFKA_ADVERTISED_LISTENERS"])
	}
	for _, port := range services["kafka"].Ports {
		if inside := port[strings.LastIndex(port, ":"):]; !strings.Contains(kafka["KAFKA_LISTENERS"], "HOST://"+inside) {
			t.Errorf("published port %s is no listener for the host", port)
		}
	}
}
