using System.Numerics.Tensors;
using OT.Neural;
using OT.Numerics;

namespace OT.Applications.Rebasin;

/// <summary>An objective of the aligned parameters θ': its value for hard permutations and its gradient for soft ones.</summary>
sealed class RebasinAim
{
    readonly RebasinObjective _objective;
    readonly LearningTask? _task;
    readonly SeededRandom _random;
    readonly int[] _batch;

    public RebasinAim(RebasinObjective objective, Mlp b, LearningTask? task, RebasinOptions options)
    {
        if (!Enum.IsDefined(objective))
            throw new ArgumentOutOfRangeException(nameof(objective), $"{objective} is not an objective.");
        bool needsTask = objective is RebasinObjective.MidPoint or RebasinObjective.RandomPoint;
        if (needsTask)
            ArgumentNullException.ThrowIfNull(task);
        else if (task is not null)
            throw new ArgumentException($"The objective {objective} compares parameters: it takes no task.", nameof(task));
        if (objective == RebasinObjective.Cosine && TensorPrimitives.MaxMagnitude<double>(b.Parameters) == 0)
            throw new ArgumentException("All parameters of b are 0: Cosine needs a direction.", nameof(b));
        (_objective, B, _task) = (objective, b, task);
        // A stream apart from that of the first scores.
        _random = new SeededRandom(~options.Seed);
        _batch = new int[needsTask ? options.BatchSize : 0];
    }

    public Mlp B { get; }

    /// <summary>The objective of a hard alignment; a loss over the whole task, at the midpoint.</summary>
    public double Value(Mlp aligned) =>
        _task is null
            ? Distance(aligned.Parameters, new double[aligned.Parameters.Length])
            : _task.Evaluate(Mlp.Interpolate(aligned, B, 0.5)).Loss;

    /// <summary>The gradient in θ' at a soft alignment; a loss on the next batch.</summary>
    public void Gradient(Mlp soft, Span<double> gradient)
    {
        if (_task is null)
        {
            Distance(soft.Parameters, gradient);
            return;
        }
        double t = _objective == RebasinObjective.MidPoint ? 0.5 : _random.NextDouble();
        _task.Draw(_batch, _random);
        _task.Gradient(Mlp.Interpolate(soft, B, t), _batch, gradient);
        TensorPrimitives.Multiply(gradient, 1 - t, gradient);
    }

    /// <summary>L2, L1 or cosine distance of θ and θ_B, and its gradient in θ.</summary>
    double Distance(ReadOnlySpan<double> theta, Span<double> gradient)
    {
        ReadOnlySpan<double> to = B.Parameters;
        int count = theta.Length;
        if (_objective == RebasinObjective.Cosine)
        {
            double norm = Math.Sqrt(Summation.Dot(theta, theta)),
                normTo = Math.Sqrt(Summation.Dot(to, to)),
                cosine = Summation.Dot(theta, to) / norm / normTo;
            for (int i = 0; i < count; i++)
                gradient[i] = ((cosine * theta[i] / norm) - (to[i] / normTo)) / norm;
            return 1 - cosine;
        }
        TensorPrimitives.Subtract(theta, to, gradient);
        if (_objective == RebasinObjective.L2)
        {
            double squared = Summation.Dot(gradient, gradient);
            TensorPrimitives.Multiply(gradient, 2.0 / count, gradient);
            return squared / count;
        }
        double sum = Summation.L1Distance(theta, to);
        foreach (ref double difference in gradient)
            difference = Math.Sign(difference) / (double)count;
        return sum / count;
    }
}
