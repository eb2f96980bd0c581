using OT.Numerics;
using Xunit;

namespace OT.Tests.Numerics;

/// <summary>The factor of a graph's Laplacian solves its system, in any order, on any number of threads, and loses no digit of weak couplings.</summary>
public class SparseCholeskyTests
{
    /// <summary>A random graph as lists of neighbours, each edge at both its ends.</summary>
    sealed record Graph(int Nodes, int[] Starts, int[] Neighbours, double[] Weights, double[] Losses)
    {
        public static Graph Random(int nodes, double degree, int seed, double smallest = 1, double loss = 0.3)
        {
            var random = new SeededRandom((ulong)seed);
            var edges = new SortedDictionary<(int, int), double>();
            for (int k = 0; k < nodes * degree / 2; k++)
            {
                int i = (int)(random.NextDouble() * nodes),
                    j = (int)(random.NextDouble() * nodes);
                if (i != j)
                    edges[(i, j)] = edges[(j, i)] = Math.Pow(smallest, random.NextDouble());
            }
            var starts = new int[nodes + 1];
            foreach ((int i, _) in edges.Keys)
                starts[i + 1]++;
            for (int i = 0; i < nodes; i++)
                starts[i + 1] += starts[i];
            return new(
                nodes,
                starts,
                [.. edges.Keys.Select(edge => edge.Item2)],
                [.. edges.Values],
                [.. Enumerable.Range(0, nodes).Select(_ => loss * random.NextDouble())]
            );
        }

        /// <summary>|(diag(W1 + ℓ) − W) x − right| at its largest, relative to what is added up there.</summary>
        public double Residual(double[] x, double[] right)
        {
            double worst = 0;
            for (int i = 0; i < Nodes; i++)
            {
                double left = Losses[i] * x[i],
                    size = Math.Abs(left) + Math.Abs(right[i]);
                for (int e = Starts[i]; e < Starts[i + 1]; e++)
                {
                    left += Weights[e] * (x[i] - x[Neighbours[e]]);
                    size += Weights[e] * (Math.Abs(x[i]) + Math.Abs(x[Neighbours[e]]));
                }
                worst = Math.Max(worst, Math.Abs(left - right[i]) / Math.Max(size, 1e-300));
            }
            return worst;
        }
    }

    static double[] Right(int nodes, int seed)
    {
        var random = new SeededRandom((ulong)seed);
        return [.. Enumerable.Range(0, nodes).Select(_ => random.NextDouble() - 0.5)];
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 3)]
    [InlineData(33, 2)]
    [InlineData(200, 1.5)]
    [InlineData(200, 4)]
    [InlineData(150, 60)]
    [InlineData(900, 3)]
    [InlineData(700, 12)]
    public void The_factor_solves_its_system(int nodes, double degree)
    {
        var graph = Graph.Random(nodes, degree, 5);
        double[] right = Right(nodes, 6),
            x = new double[nodes];
        double[]? expected = null;
        foreach (int threads in (int[])[1, 2, 3])
        {
            var factor = SparseCholesky.Analyse(nodes, graph.Starts, graph.Neighbours, threads);
            Assert.True(factor.Factor(graph.Weights, graph.Losses, default));
            factor.Solve(right, x);
            Assert.InRange(graph.Residual(x, right), 0, 1e-14 * (10 + nodes));
            expected ??= [.. x];
            Assert.Equal(expected, x);
        }
    }

    /// <summary>The places found once serve other weights, and a factor can be made again and again.</summary>
    [Fact]
    public void The_analysis_serves_any_weights()
    {
        var graph = Graph.Random(400, 3, 7);
        var factor = SparseCholesky.Analyse(400, graph.Starts, graph.Neighbours, 2);
        double[] right = Right(400, 8),
            x = new double[400];
        foreach (double power in (double[])[1, 3, 0.2, 1])
        {
            Graph other = graph with { Weights = Array.ConvertAll(graph.Weights, w => Math.Pow(2 * w, power)) };
            Assert.True(factor.Factor(other.Weights, other.Losses, default));
            factor.Solve(right, x);
            Assert.InRange(other.Residual(x, right), 0, 1e-14 * 400);
        }
    }

    [Fact]
    public void Sparse_graphs_keep_a_small_tail()
    {
        var chain = Chain(2000, 1);
        var factor = SparseCholesky.Analyse(2000, chain.Starts, chain.Neighbours, 1);
        Assert.InRange(factor.TailCount, 0, 40);
        Assert.InRange(factor.FillCount, 0, 4000);
    }

    static Graph Chain(int nodes, double weight)
    {
        var starts = new int[nodes + 1];
        var neighbours = new List<int>();
        for (int i = 0; i < nodes; i++)
        {
            if (i > 0)
                neighbours.Add(i - 1);
            if (i < nodes - 1)
                neighbours.Add(i + 1);
            starts[i + 1] = neighbours.Count;
        }
        return new(nodes, starts, [.. neighbours], [.. neighbours.Select(_ => weight)], new double[nodes]);
    }

    /// <summary>Rows first: the columns' Schur complement is dense, and one row joined to all of them goes in as a vector.</summary>
    [Theory]
    [InlineData(60, 45, 4)]
    [InlineData(60, 45, 40)]
    [InlineData(7, 300, 250)]
    [InlineData(90, 1, 1)]
    public void The_first_nodes_can_go_first(int first, int second, int degree)
    {
        var random = new SeededRandom(3);
        var edges = new SortedDictionary<(int, int), double>();
        for (int i = 0; i < first; i++)
        {
            for (int k = 0; k < degree; k++)
            {
                int j = first + (int)(random.NextDouble() * second);
                edges[(i, j)] = edges[(j, i)] = random.NextDouble();
            }
        }
        int nodes = first + second;
        var starts = new int[nodes + 1];
        foreach ((int i, _) in edges.Keys)
            starts[i + 1]++;
        for (int i = 0; i < nodes; i++)
            starts[i + 1] += starts[i];
        var graph = new Graph(
            nodes,
            starts,
            [.. edges.Keys.Select(edge => edge.Item2)],
            [.. edges.Values],
            [.. Enumerable.Range(0, nodes).Select(_ => 0.1 * random.NextDouble())]
        );
        var factor = SparseCholesky.FirstNodesFirst(first, nodes, graph.Starts, graph.Neighbours, 2);
        Assert.Equal(second, factor.TailCount);
        double[] right = Right(nodes, 4),
            x = new double[nodes];
        Assert.True(factor.Factor(graph.Weights, graph.Losses, default));
        factor.Solve(right, x);
        Assert.InRange(graph.Residual(x, right), 0, 1e-14 * (10 + nodes));
    }

    /// <summary>A chain whose links are 1e-100: the solution grows by 1e100 and keeps twelve digits.</summary>
    [Fact]
    public void Weak_couplings_keep_their_digits()
    {
        const int nodes = 100;
        const double weight = 1e-100;
        Graph chain = Chain(nodes, weight);
        chain.Losses[0] = 1;
        double[] right = new double[nodes],
            x = new double[nodes];
        right[nodes - 1] = 1;
        var factor = SparseCholesky.Analyse(nodes, chain.Starts, chain.Neighbours, 1);
        Assert.True(factor.Factor(chain.Weights, chain.Losses, default));
        factor.Solve(right, x);
        for (int i = 0; i < nodes; i++)
            Assert.Equal(1, x[i] / (1 + (i / weight)), 1e-12); // the whole flow passes every link
    }

    /// <summary>A part without losses has no unique solution: the pivot of its last node is 0, and so is its solution.</summary>
    [Fact]
    public void Parts_without_losses_are_solved_up_to_a_constant()
    {
        Graph chain = Chain(50, 0.7);
        double[] right = Right(50, 2),
            x = new double[50];
        double mean = right.Average();
        right = Array.ConvertAll(right, v => v - mean);
        var factor = SparseCholesky.Analyse(50, chain.Starts, chain.Neighbours, 1);
        Assert.True(factor.Factor(chain.Weights, chain.Losses, default));
        factor.Solve(right, x);
        Assert.InRange(chain.Residual(x, right), 0, 1e-12);
    }

    [Fact]
    public void A_stop_is_seen()
    {
        var graph = Graph.Random(300, 4, 1);
        var factor = SparseCholesky.Analyse(300, graph.Starts, graph.Neighbours, 2);
        Assert.False(factor.Factor(graph.Weights, graph.Losses, new CancellationToken(true)));
    }
}
