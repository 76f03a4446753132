package registry_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-go/posthaste"
	"github.com/posthaste-go/posthaste/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// instance makes a valid one.
func instance(service, node string) registry.Instance {
	return registry.Instance{
		Service: service, Node: node, Incarnation: 1,
		Endpoint: posthaste.Endpoint{Network: "mem", Address: node},
	}
}

func TestEqualLooksAtEveryField(t *testing.T) {
	alterations := map[string]func(*registry.Instance){
		"Service":     func(i *registry.Instance) { i.Service = "x" },
		"Node":        func(i *registry.Instance) { i.Node = "x" },
		"Endpoint":    func(i *registry.Instance) { i.Endpoint.Address = "x" },
		"Incarnation": func(i *registry.Instance) { i.Incarnation++ },
		"Weight":      func(i *registry.Instance) { i.Weight++ },
		"Zone":        func(i *registry.Instance) { i.Zone = "x" },
		"Labels":      func(i *registry.Instance) { i.Labels = map[string]string{"a": "b"} },
		"Draining":    func(i *registry.Instance) { i.Draining = true },
	}
	for field, alter := range alterations {
		a, b := instance("bank", "a"), instance("bank", "a")
		if !a.Equal(b) {
			t.Fatal("equal instances differ")
		}
		alter(&b)
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("a change of %s goes unseen", field)
		}
	}
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	i := instance("bank", "a b")
	err := i.Validate()
	if posthaste.CodeOf(err) != posthaste.InvalidArgument || !strings.Contains(err.Error(), `"a b" has ' ' at byte 1`) {
		t.Errorf("Validate = %v", err)
	}
	for _, node := range []string{"a", "10.0.0.1:7000", "unix:/run/a.sock", strings.Repeat("n", posthaste.MaxNameLen)} {
		i.Node = node
		if err := i.Validate(); err != nil {
			t.Errorf("node %q: %v", node, err)
		}
	}
}

// FuzzValidate looks for names that would break out of a key or a line.
func FuzzValidate(f *testing.F) {
	f.Add("bank", "n1")
	f.Add("bank\n", "n\x00")
	f.Add("{bank}:z", "n*")
	f.Fuzz(func(t *testing.T, service, node string) {
		i := instance(service, "a")
		i.Node = node
		if i.Validate() != nil {
			return
		}
		if service == "" || node == "" || len(service) > posthaste.MaxNameLen || len(node) > posthaste.MaxNameLen {
			t.Errorf("accepted lengths %d and %d", len(service), len(node))
		}
		if strings.ContainsAny(service, " \r\n\t\x00{}*?[]:") || strings.ContainsAny(node, " \r\n\t\x00\x7f") {
			t.Errorf("accepted service %q, node %q", service, node)
		}
	})
}
