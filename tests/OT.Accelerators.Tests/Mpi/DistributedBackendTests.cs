using Xunit;

namespace OT.Accelerators.Tests.Mpi;

/// <summary>Distributed solves under 1, 2 and 3 ranks, against each other and against one process.</summary>
[Collection(NativePaths.Name)]
public sealed class DistributedBackendTests
{
    static readonly string[] Solves =
    [
        "solve sinkhorn points2 60 70 0.05",
        "solve sinkhorn points3 150 90 0.002", // Newton's steps
        "solve sinkhorn floats 41 70 0.05",
        "solve sinkhorn custom 40 30 0.05",
        "solve sinkhorn forbidden 40 30 0.1",
        "solve sinkhorn grid 36 24 0.1",
        "solve sinkhorn euclidean 50 40 0.03",
        "solve newton-cg points2 60 70 0.01",
        "solve newton-cg doubles 60 50 0.02",
        "solve newton-sns points2 60 50 0.02",
        "solve mirror points2 30 40 1",
        "solve mirror doubles 30 40 1",
    ];

    /// <summary>The same with costs that lie with the ranks.</summary>
    static readonly string[] Sharded =
    [
        "solve sinkhorn sharded doubles 60 70 0.05",
        "solve sinkhorn sharded floats 41 70 0.05",
        "solve newton-cg sharded doubles 60 50 0.02",
        "solve newton-sns sharded doubles 60 50 0.02",
        "solve mirror sharded doubles 30 40 1",
        "solve sinkhorn sharded forbidden 40 30 0.1",
    ];

    const string Divergence = "divergence points2 60 50 0.1";

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [Trait("Effort", "full")]
    public void ContractLawsHold(int ranks) =>
        MpiJob.Run(ranks, "laws all Float64 fused", "laws all Float32 fused", "laws all Float64 two-pass");

    [Fact]
    public void ContractLawsHoldForSomeKinds() =>
        MpiJob.Run(
            2,
            "laws forbidden Float64 fused",
            "laws points2 Float32 fused",
            "laws sparse Float64 two-pass",
            "laws grid Float64 fused"
        );

    [Fact]
    public void RankCountsAgree_RepeatsAndRanksHaveTheSameBits()
    {
        string[] all = [.. Solves, .. Sharded, Divergence];
        // The host throws where ranks hold different bits.
        MpiJob one = MpiJob.Run(1, all),
            two = MpiJob.Run(2, all),
            again = MpiJob.Run(2, all),
            three = MpiJob.Run(3, all);
        foreach (string scenario in all)
        {
            foreach (string key in two[scenario].Keys)
                Assert.True(
                    two[scenario][key] == again[scenario][key],
                    $"{scenario}: {key} differs between two runs of two ranks"
                );
            foreach (MpiJob job in (MpiJob[])[two, three])
            {
                Assert.True(one[scenario]["status"] == job[scenario]["status"], $"{scenario}: {job[scenario]["status"]}");
                double value = MpiJob.Number(one[scenario], "value");
                // Both are within the marginal error of the optimum, which costs of a few units make of the value.
                double allowed = scenario.Contains("mirror", StringComparison.Ordinal) ? 1e-9 : 1e-7;
                Assert.Equal(value, MpiJob.Number(job[scenario], "value"), allowed);
                if (job[scenario].ContainsKey("gap"))
                    Assert.Equal(MpiJob.Number(one[scenario], "dual"), MpiJob.Number(job[scenario], "dual"), allowed);
            }
        }
        foreach (string scenario in Solves.Where(s => !s.Contains("mirror", StringComparison.Ordinal)))
            Assert.Equal("Converged", three[scenario]["status"]);
    }

    [Fact]
    public void ShardedEqualsWhole()
    {
        MpiJob job = MpiJob.Run(
            2,
            "solve sinkhorn doubles 60 70 0.05",
            "solve sinkhorn sharded doubles 60 70 0.05",
            "solve mirror doubles 30 40 1",
            "solve mirror sharded doubles 30 40 1"
        );
        foreach (string rest in (string[])["60 70 0.05", "30 40 1"])
        {
            string solver = rest.StartsWith('6') ? "sinkhorn" : "mirror";
            IReadOnlyDictionary<string, string> whole = job[$"solve {solver} doubles {rest}"],
                sharded = job[$"solve {solver} sharded doubles {rest}"];
            foreach (string key in (string[])["value", "bits-f", "bits-g", "iterations"])
                Assert.Equal(whole[key], sharded[key]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void CommunicationVolumeIsTheModels(int ranks)
    {
        MpiJob job = MpiJob.Run(ranks, "volume 100 70 5", "volume 7 1000 1", "volume 1000 7 3");
        foreach (string scenario in (string[])["volume 100 70 5", "volume 7 1000 1", "volume 1000 7 3"])
        {
            Assert.Equal(job[scenario]["modelled-bytes"], job[scenario]["bytes"]);
            Assert.Equal(job[scenario]["modelled-exchanges"], job[scenario]["exchanges"]);
        }
    }

    [Fact]
    public void ResumeEqualsStraight()
    {
        string[] scenarios = ["resume points2 60 70 0.003", "resume sharded doubles 60 70 0.003"];
        MpiJob job = MpiJob.Run(2, scenarios);
        foreach (string scenario in scenarios)
        {
            Assert.Equal("True", job[scenario]["same"]);
            Assert.Contains("other costs, weights or penalties", job[scenario]["stale"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void WhatRanksHaveDifferentlyIsAgreedOn()
    {
        string[] scenarios = ["estimates", "one-checkpoint points2 60 70 0.003", "one-checkpoint sharded doubles 60 70 0.003"];
        MpiJob job = MpiJob.Run(2, scenarios);
        foreach (string scenario in scenarios[1..])
            Assert.Equal("Converged", job[scenario]["status"]);
    }

    [Fact]
    public void OneRanksTokenOrClockStopsAllRanks()
    {
        string[] cancelled =
        [
            "cancel sinkhorn points2",
            "cancel newton-cg points2",
            "cancel mirror points2",
            "cancel sinkhorn sharded doubles",
        ];
        MpiJob job = MpiJob.Run(3, [.. cancelled, "time-limit points2"]);
        foreach (string scenario in cancelled)
            Assert.Equal("Cancelled", job[scenario]["status"]);
        Assert.Equal("TimeLimit", job["time-limit points2"]["status"]);
    }
}
