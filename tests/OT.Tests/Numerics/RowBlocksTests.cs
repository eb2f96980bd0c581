using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

public class RowBlocksTests
{
    sealed class Counting(int blocks) : IBlockWork
    {
        public int[] Runs { get; } = new int[blocks];
        public int LargestWorker;

        public void Run(int block, int worker)
        {
            Interlocked.Increment(ref Runs[block]);
            int seen;
            while (worker > (seen = Volatile.Read(ref LargestWorker)))
                Interlocked.CompareExchange(ref LargestWorker, worker, seen);
        }
    }

    sealed class Failing(int at) : IBlockWork
    {
        public int Runs;

        public void Run(int block, int worker)
        {
            Interlocked.Increment(ref Runs);
            if (block == at)
                throw new InvalidOperationException("block " + block);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    public void Every_block_runs_once_in_every_loop(int threads)
    {
        using var blocks = new RowBlocks(threads);
        Assert.Equal(threads, blocks.Threads);
        foreach (int count in (int[])[0, 1, 2, 3, 64, 1000])
        {
            for (int repeat = 0; repeat < 50; repeat++)
            {
                var work = new Counting(count);
                blocks.Run(count, work);
                Assert.All(work.Runs, runs => Assert.Equal(1, runs));
                Assert.InRange(work.LargestWorker, 0, threads - 1);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void An_exception_comes_out_at_the_caller_and_the_next_loop_works(int threads)
    {
        using var blocks = new RowBlocks(threads);
        for (int repeat = 0; repeat < 20; repeat++)
        {
            var failing = new Failing(17);
            Assert.Equal("block 17", Assert.Throws<InvalidOperationException>(() => blocks.Run(40, failing)).Message);
            var work = new Counting(40);
            blocks.Run(40, work);
            Assert.All(work.Runs, runs => Assert.Equal(1, runs));
        }
    }

    [Fact]
    public void Callers_on_several_threads_take_turns()
    {
        using var blocks = new RowBlocks(2);
        var works = Enumerable.Range(0, 4).Select(_ => new Counting(200)).ToArray();
        Thread[] threads =
        [
            .. works.Select(work => new Thread(() =>
            {
                for (int repeat = 0; repeat < 30; repeat++)
                    blocks.Run(200, work);
            })),
        ];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => Assert.True(t.Join(TimeSpan.FromSeconds(20))));
        Assert.All(works, work => Assert.All(work.Runs, runs => Assert.Equal(30, runs)));
    }

    [Fact]
    public void A_loop_allocates_nothing()
    {
        using var blocks = new RowBlocks(2);
        var work = new Counting(100);
        blocks.Run(100, work);
        // Code that the runtime has not optimised yet may box; the best of many tries has none of that.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 100 && least > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int repeat = 0; repeat < 100; repeat++)
                blocks.Run(100, work);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Thread.Sleep(least > 0 ? 10 : 0);
        }
        Assert.InRange(least, 0, 200);
    }

    [Fact]
    public void No_thread_at_all_is_refused_and_so_is_work_after_the_end()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new RowBlocks(0));
        var blocks = new RowBlocks(2);
        blocks.Run(4, new Counting(4));
        blocks.Dispose();
        Assert.Throws<ObjectDisposedException>(() => blocks.Run(4, new Counting(4)));
    }
}
