import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,integration,e2e}/**/*.test.ts"],
    // Real engines and encoders run in these tests; two cores carry two files at a time.
    maxWorkers: 2,
    // On a loaded CI machine a real engine or encoder may miss a test's patience once; twice is a fault.
    retry: process.env.CI ? 1 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ["default", "./test/support/summary-reporter.ts"],
  },
});
