using Xunit;

namespace OT.Accelerators.Tests.Mpi;

/// <summary>What goes wrong on some rank, or on all: one clear line, and never a rank that waits for another.</summary>
[Collection(NativePaths.Name)]
public sealed class FailureTests
{
    [Fact]
    public void AFailingRankIsNamedAndEndsTheJob()
    {
        MpiJob job = MpiJob.Start(3, "throws");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("no way for me (rank 1 of 3", job.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatAllRanksThrowIsWrittenOnce()
    {
        MpiJob job = MpiJob.Start(3, "all-throw");
        Assert.NotEqual(0, job.Code);
        Assert.Equal(2, job.Error.Split("no way for anybody").Length);
    }

    [Theory]
    [InlineData(5_000)] // while its rows are bound
    [InlineData(100_000)] // in an iteration
    public void ACostThatThrowsOnOneRankIsThrownOnAll(int calls)
    {
        MpiJob job = MpiJob.Start(3, $"cost-throws {calls}");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("rank 2: the map is torn", job.Error, StringComparison.Ordinal);
        Assert.Equal(2, job.Error.Split("the map is torn").Length);
    }

    [Fact]
    public void AKilledRankEndsTheJob()
    {
        MpiJob job = MpiJob.Start(2, "killed");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("rank 1", job.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void RanksThatSolveDifferentProblemsAreFoundOut()
    {
        MpiJob job = MpiJob.Start(2, "diverge");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("rank 1 has epsilon 0.2", job.Error, StringComparison.Ordinal);
        Assert.Contains("where rank 0 has epsilon 0.1", job.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shape", "rank 1 has 51 x 50 costs (PointCloud) in Float64 where rank 0 has 50 x 50 costs")]
    [InlineData("kind", "rank 1 has 50 x 50 costs (CostMatrix) in Float64")]
    [InlineData("precision", "rank 1 has 50 x 50 costs (PointCloud) in Float32")]
    [InlineData("costs", "rank 1 has costs with the fingerprint")]
    [InlineData("tolerance", "rank 1 has the tolerance 0.1 where rank 0 has the tolerance 0:")]
    [InlineData("damping", "rank 1 has a damping of columns 0.5 where rank 0 has a damping of columns 1:")]
    [InlineData("weights", "rank 1 has weights of the fingerprint")]
    [InlineData("count", "rank 1 has 2 iterations to make where rank 0 has 3 iterations to make:")]
    public void WhatRanksDifferInIsNamedByAll(string what, string message)
    {
        MpiJob job = MpiJob.Start(3, $"differ {what}");
        Assert.NotEqual(0, job.Code);
        Assert.Contains(message, job.Error, StringComparison.Ordinal);
        Assert.Equal(2, job.Error.Split("all ranks must run the same program").Length);
    }

    [Fact]
    public void MoreRanksThanRowsAreRefused()
    {
        MpiJob job = MpiJob.Start(3, "solve sinkhorn doubles 2 9 0.1");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("3 ranks for 2 rows", job.Error, StringComparison.Ordinal);
    }
}
