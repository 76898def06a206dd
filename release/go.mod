module github.com/rewardflow/rewardflow/release

go 1.26.8

require (
	github.com/google/licensecheck v0.3.1
	go.yaml.in/yaml/v3 v3.0.6
)

require github.com/stretchr/testify v1.12.1
