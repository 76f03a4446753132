// Package registrytest checks that a registry.Registry keeps its promises. It
// hides how: an implementation proves itself with one call.
//
// # Usage
//
//	func TestConformance(t *testing.T) {
//		registrytest.Run(t, func(t *testing.T) registry.Registry {
//			return redisreg.New(redis(t), redisreg.Options{Prefix: t.Name()})
//		})
//	}
//
// # Guarantees
//
//  1. Each check gets a registry of its own and ends all that it starts.
//  2. A check waits for what must happen and never for time to pass, so it is
//     as quick as the registry and does not fail on a slow machine.
//
// # Limits
//
// What must happen has 10 seconds to do so. That an abandoned lease expires is
// left to the tests of the implementation: only it can make a node die.
//
// # Testing
//
// The tests of package registry run the suite against registry.Memory.
package registrytest
