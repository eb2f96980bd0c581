namespace OT.Numerics;

/// <summary>A loop over rows in parallel chunks that each add to a vector of their own; the vectors are summed in order.</summary>
/// <remarks>Chunks depend on the number of rows and the length of the sum alone: same bits for any thread count.</remarks>
internal static class RowReduction
{
    const int MinChunkRows = 32;
    const int MaxChunks = 64;

    /// <summary>Doubles that the chunks' sums may take together: 64 MiB.</summary>
    const long MaxPartials = 1L << 23;

    /// <summary>What to do with one row.</summary>
    /// <param name="row">Which.</param>
    /// <param name="scratch">Room for this row, not cleared.</param>
    /// <param name="sum">The chunk's sum, to be added to.</param>
    public delegate void RowAction(int row, Span<double> scratch, Span<double> sum);

    /// <summary>Runs the action for rows 0 … <paramref name="rows"/> − 1 and returns the sum, of <paramref name="length"/> doubles.</summary>
    /// <exception cref="OperationCanceledException">The token, looked at before every row, asked to stop.</exception>
    public static double[] Sum(int rows, int length, int scratch, int threads, RowAction action, CancellationToken cancellation)
    {
        int chunks = (int)Math.Clamp(Math.Min(rows / MinChunkRows, MaxPartials / Math.Max(1, length)), 1, MaxChunks);
        var work = new Chunks(rows, new double[chunks][], length, scratch, action, cancellation);
        using (var blocks = new RowBlocks(threads))
            blocks.Run(chunks, work);
        cancellation.ThrowIfCancellationRequested();
        double[] total = work.Sums[0];
        for (int c = 1; c < chunks; c++)
            System.Numerics.Tensors.TensorPrimitives.Add(total, work.Sums[c], total);
        return total;
    }

    sealed class Chunks(int rows, double[][] sums, int length, int scratch, RowAction action, CancellationToken cancellation)
        : IBlockWork
    {
        public double[][] Sums => sums;

        public void Run(int block, int worker)
        {
            var sum = sums[block] = new double[length];
            var room = new double[scratch];
            int end = (int)((long)rows * (block + 1) / sums.Length);
            for (int i = (int)((long)rows * block / sums.Length); i < end; i++)
            {
                if (cancellation.IsCancellationRequested)
                    return;
                action(i, room, sum);
            }
        }
    }
}
