namespace OT.Accelerators.Mpi;

/// <summary>What a distributed Sinkhorn iteration costs, by the model of docs/theory/distributed.md.</summary>
public static class DistributedCost
{
    /// <summary>Calls of MPI in one iteration: the exchange of column sums, and the gathering of potentials.</summary>
    public const int ExchangesPerIteration = 2;

    /// <summary>
    /// Bytes that all ranks together give for others in one iteration, <c>8 (R − 1) (2m + n + 5R)</c>: column sums to the ranks that add them, then both potentials and five remarks to everybody.
    /// What no repair of columns, no agreement on a step adds to.
    /// </summary>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <param name="ranks">R.</param>
    public static long BytesPerIteration(long rows, long columns, long ranks) =>
        checked(sizeof(double) * (ranks - 1) * ((2 * columns) + rows + (DistributedOperator.Remarks * ranks)));

    /// <summary>
    /// Seconds of one iteration: <c>n m t / R + 8 (R − 1)/R (2m + n + 5R) / B + 2 log₂(R) L</c>.
    /// </summary>
    /// <param name="rows">n.</param>
    /// <param name="columns">m.</param>
    /// <param name="ranks">R.</param>
    /// <param name="secondsPerPair">t: one entry of the costs, its exponential and its part of the column sum, on one rank.</param>
    /// <param name="bytesPerSecond">B: what a rank can give at a time.</param>
    /// <param name="latency">L: seconds of an exchange of nothing with one other rank.</param>
    public static double SecondsPerIteration(
        double rows,
        double columns,
        double ranks,
        double secondsPerPair,
        double bytesPerSecond,
        double latency
    ) =>
        (rows * columns * secondsPerPair / ranks)
        + (sizeof(double) * (ranks - 1) / ranks * ((2 * columns) + rows + (DistributedOperator.Remarks * ranks)) / bytesPerSecond)
        + (ExchangesPerIteration * Math.Log2(Math.Max(ranks, 1)) * latency);
}
