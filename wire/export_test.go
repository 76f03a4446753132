package wire

// HelloFields returns the number, the name and the mutability of each field of
// HELLO.
func HelloFields(yield func(number uint64, name string, mutable bool)) {
	for _, t := range helloTLVs {
		yield(t.number, t.name, t.mutable)
	}
}

// AllowedFlags returns the flags that SPEC.md allows on k.
func AllowedFlags(k Kind) Flags { return rules[k].plain | rules[k].tied }
