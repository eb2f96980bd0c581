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
        Assert.Contains("holds other numbers", job.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void MoreRanksThanRowsAreRefused()
    {
        MpiJob job = MpiJob.Start(3, "solve sinkhorn doubles 2 9 0.1");
        Assert.NotEqual(0, job.Code);
        Assert.Contains("3 ranks for 2 rows", job.Error, StringComparison.Ordinal);
    }
}
